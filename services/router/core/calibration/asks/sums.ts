/** Families that count: word problems, money, dates, programs that are followed by hand. */
import type { Random } from '../random.ts';
import { type Ask, asked } from './ask.ts';
import { PEOPLE, spoken, THINGS } from './voice.ts';

/** One to eight operations, told as a story. Numbers that do not count may stand beside those that do. */
export function story(random: Random): Ask {
  const [who, other] = random.some(PEOPLE, 2) as [string, string];
  const thing = random.pick(THINGS);
  let value = random.between(10, 60);
  const steps = random.few(1, 8);
  const told = [`${who} has ${value} ${thing}.`];
  for (let step = 0; step < steps; step++) {
    const amount = random.between(2, 9);
    const kind = random.between(0, value % 2 === 0 ? 3 : 2);
    if (kind === 0) told.push(`${other} brings ${amount} more.`);
    else if (kind === 1 && value > amount) told.push(`${amount} of them break.`);
    else if (kind === 3) told.push(`Half of what is left is sold.`);
    else told.push(`${who} buys ${amount} packs of ${amount}.`);
    if (kind === 0) value += amount;
    else if (kind === 1 && value > amount) value -= amount;
    else if (kind === 3) value /= 2;
    else value += amount * amount;
    if (random.chance(0.15)) told.push(`It is ${random.between(6, 20)} o'clock by then.`);
  }
  const put = random.pick([
    `How many ${thing} are there in the end?`,
    `What is the final number of ${thing}?`,
    `And now? Give the count.`,
  ]);
  return asked(spoken(random, `${told.join(' ')} ${put}`), { kind: 'number', value }, steps * 0.8);
}

/** Bare sums: short to say, long to work out. */
export function sum(random: Random): Ask {
  const terms = random.few(2, 7);
  const large = random.chance(0.4);
  const numbers = Array.from({ length: terms }, () => (large ? random.between(120, 9_900) : random.between(2, 30)));
  const product = random.chance(0.3);
  const [first, second] = numbers as [number, number];
  const rest = numbers.slice(product ? 2 : 1);
  const value = (product ? first * second : first) + rest.reduce((a, b) => a + b, 0);
  const shown = [product ? `${first} × ${second}` : String(first), ...rest].join(' + ');
  const put = random.pick([`${shown} = ?`, `Work out ${shown}.`, `What does ${shown} come to?`, `total of ${shown}`]);
  const load = (terms - 1) * (large ? 1.2 : 0.5) + (product ? (large ? 3 : 1) : 0);
  return asked(spoken(random, put), { kind: 'number', value }, load);
}

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const DAY_MS = 86_400_000;

/** Few words, and each stands for several steps. */
export function calendar(random: Random): Ask {
  const start = Date.UTC(random.between(2024, 2029), random.between(0, 11), random.between(1, 28));
  const days = random.pick([1, 3, 7, 14, 30, 45, 100, 250]);
  const shown = (at: number) => new Date(at).toISOString().slice(0, 10);
  const end = start + days * DAY_MS;
  const size = Math.log2(1 + days);
  const [put, expected, load] = random.pick([
    [
      `Which date is ${days} days after ${shown(start)}? (YYYY-MM-DD)`,
      { kind: 'words', all: [shown(end)] },
      0.5 + size * 0.7,
    ],
    [
      `${shown(start)} plus ${days} days: which day of the week?`,
      { kind: 'words', all: [DAYS[new Date(end).getUTCDay()]!] },
      3 + size * 0.5,
    ],
    [`How many days from ${shown(start)} to ${shown(end)}?`, { kind: 'number', value: days }, 0.5 + size * 0.6],
    [`In which year is ${shown(start)}?`, { kind: 'number', value: new Date(start).getUTCFullYear() }, 0.3],
  ] as const);
  return asked(spoken(random, put), expected, load);
}

/** A small program, and what it prints. */
export function program(random: Random): Ask {
  const loops = random.few(0, 7);
  const add = random.between(1, 5);
  const from = random.between(0, 9);
  const branch = random.chance(0.4);
  let value = from;
  for (let i = 0; i < loops; i++) value = branch && i % 2 === 1 ? value * 2 : value + add;
  const body = branch ? `    x = x * 2 if i % 2 == 1 else x + ${add}` : `    x = x + ${add}`;
  const code = loops === 0 ? `x = ${from}\nprint(x)` : `x = ${from}\nfor i in range(${loops}):\n${body}\nprint(x)`;
  const put = random.pick(['What does this print?', 'Which number comes out?', 'Run this in your head.']);
  const fenced = random.chance(0.7) ? `\`\`\`python\n${code}\n\`\`\`` : code;
  const noise = random.chance(0.3) ? `import sys, re\n# helper function, class and regex are elsewhere\n` : '';
  const text = `${put}\n\n${noise ? fenced.replace(code, noise + code) : fenced}`;
  return asked(text, { kind: 'number', value }, 0.7 + loops * (branch ? 1.1 : 0.5));
}

/** A small program that does not do what it should: the line that is to blame. */
export function debugging(random: Random): Ask {
  const lines = [
    'total = 0',
    'for price in prices:',
    '    total = total + price',
    'average = total / len(prices)',
    'if average > 100:',
    '    print("dear")',
    'else:',
    '    print("cheap")',
  ];
  const faults = [
    { at: 0, line: 'total = 1', load: 2.2 },
    { at: 2, line: '    total = price', load: 2.8 },
    { at: 3, line: 'average = total / (len(prices) - 1)', load: 3.4 },
    { at: 4, line: 'if average < 100:', load: 3.2 },
  ];
  const { at, line, load } = random.pick(faults);
  const shown = lines
    .map((own, index) => (index === at ? line : own))
    .slice(0, random.between(Math.max(at + 1, 4), lines.length));
  const plain = random.chance(0.3);
  const [put, value, own] = plain
    ? [`How many lines has this?`, shown.length, 0.7]
    : [
        random.pick([
          'Debug this: the average is wrong, or what is said of it. Number of the faulty line?',
          'Why is the result wrong? Give the number of the line.',
          'Explain which line is to blame; its number.',
        ]),
        at + 1,
        load + shown.length * 0.2,
      ];
  return asked(`${spoken(random, put)}\n\n\`\`\`python\n${shown.join('\n')}\n\`\`\``, { kind: 'number', value }, own);
}
