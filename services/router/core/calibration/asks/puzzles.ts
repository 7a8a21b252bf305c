/** Families of short texts with much behind them: series, ciphers, truth, ages, free hours. */
import type { Random } from '../random.ts';
import { type Ask, asked } from './ask.ts';
import { PEOPLE, spoken } from './voice.ts';

/** The next number of a series. */
export function series(random: Random): Ask {
  const from = random.between(1, 9);
  const step = random.between(2, 7);
  const kind = random.between(0, 3);
  const list = [from, from + step];
  for (let at = 2; at < 7; at++) {
    const [before, last] = list.slice(-2) as [number, number];
    list.push([last + step, last * 2, before + last, last + step * at][kind]!);
  }
  const shown = list.slice(kind === 1 ? 1 : 0, 6).join(', ');
  const put = random.pick([
    `${shown}, …?`,
    `What comes next: ${shown}?`,
    `Go on with this series by one number: ${shown}`,
  ]);
  return asked(spoken(random, put), { kind: 'number', value: list[6]! }, [1.2, 1.4, 3, 4][kind]!);
}

const WORDS = ['cat', 'lamp', 'river', 'stone', 'garden', 'window', 'thunder', 'evening'];
const A = 'a'.charCodeAt(0);

/** Letters moved along the alphabet. */
export function cipher(random: Random): Ask {
  const word = random.pick(WORDS);
  const by = random.between(1, 9);
  const moved = (text: string, places: number) =>
    [...text].map((letter) => String.fromCharCode(A + ((letter.charCodeAt(0) - A + places + 26) % 26))).join('');
  const put = random.pick([
    [`Move each letter of "${word}" ${by} places on in the alphabet.`, moved(word, by)],
    [`Caesar cipher, key ${by}: decode ${moved(word, by)}.`, word],
  ] as const);
  return asked(spoken(random, put[0]), { kind: 'line', text: put[1] }, word.length * (by > 3 ? 0.8 : 0.4));
}

/** Is it true that it is not the case that …? */
export function truth(random: Random): Ask {
  const [a, b] = [random.between(1, 20), random.between(1, 20)];
  let value = a > b;
  let said = `${a} is greater than ${b}`;
  const depth = random.few(0, 5);
  for (let at = 0; at < depth; at++) {
    const [c, d] = [random.between(1, 20), random.between(1, 20)];
    const kind = random.between(0, 2);
    if (kind === 0) [value, said] = [!value, `it is not the case that ${said}`];
    else if (kind === 1) [value, said] = [value && c < d, `both ${said} and ${c} is less than ${d}`];
    else [value, said] = [value || c === d, `either ${said} or ${c} equals ${d}`];
  }
  const put = random.pick([
    `True or false: ${said}.`,
    `Is this right? ${said[0]!.toUpperCase()}${said.slice(1)}. (true/false)`,
    `Say true or false. ${said}`,
  ]);
  return asked(spoken(random, put), { kind: 'words', all: [String(value)], none: [String(!value)] }, 0.5 + depth * 1.2);
}

/** Ages, each told by another one's. */
export function ages(random: Random): Ask {
  const people = random.some(PEOPLE, random.few(2, 7));
  const values = [random.between(5, 40)];
  const clues = people.slice(1).map((name, at) => {
    const by = random.between(1, 9);
    const twice = random.chance(0.3);
    values.push(twice ? values[at]! * 2 : values[at]! + by);
    return twice ? `${name} is twice as old as ${people[at]}` : `${name} is ${by} years older than ${people[at]}`;
  });
  const start = `${people[0]} is ${values[0]}`;
  const shown = random.some([start, ...clues], clues.length + 1);
  const at = random.between(0, people.length - 1);
  const put = random.pick([`How old is ${people[at]}?`, `${people[at]}'s age?`]);
  return asked(
    spoken(random, `${shown.join('. ')}. ${put}`),
    { kind: 'number', value: values[at]! },
    0.5 + at * 1.1 + people.length * 0.2,
  );
}

/** The first hour at which everybody is free. */
export function hours(random: Random): Ask {
  const people = random.some(PEOPLE, random.few(1, 5));
  const common = random.between(9, 17);
  const free = people.map(() =>
    [...new Set([common, ...Array.from({ length: 4 }, () => random.between(9, 17))])].sort((a, b) => a - b),
  );
  const first = free[0]!.find((hour) => free.every((list) => list.includes(hour)))!;
  const rows = people.map((name, at) => `${name} is free at ${free[at]!.join(', ')}`);
  const put = random.pick([
    'Plan a meeting: what is the first hour that suits all?',
    'First hour at which nobody is missing?',
    'When can they meet, at the earliest? One number.',
  ]);
  return asked(
    spoken(random, `${rows.join(random.chance(0.5) ? '\n' : '; ')}. ${put}`),
    { kind: 'number', value: first },
    0.4 + people.length * 1.1,
  );
}
