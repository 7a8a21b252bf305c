/** Families whose parts have to hold together: rules, orders, seats, tables, forms of an answer. */
import type { Random } from '../random.ts';
import { type Ask, asked } from './ask.ts';
import { CITIES, PEOPLE, spoken, THINGS } from './voice.ts';

/** Who may what, by rules with exceptions to them. */
export function rules(random: Random): Ask {
  const person = random.pick(PEOPLE);
  const years = random.between(0, 12);
  const abroad = random.chance(0.5);
  const weekend = random.chance(0.5);
  const depth = random.few(1, 4);
  const base = random.between(18, 24);
  const said = [
    `Everybody gets ${base} days of leave.`,
    `Those who have been here for more than 5 years get 3 more.`,
    `Except for those who work abroad: they get 5 more instead of 3, whatever their years.`,
    `Unless somebody works at weekends, 2 days are taken off again; but not from those abroad.`,
  ].slice(0, depth);
  let days = base;
  if (depth >= 3 && abroad) days += 5;
  else if (depth >= 2 && years > 5) days += 3;
  if (depth >= 4 && !weekend && !abroad) days -= 2;
  const facts = `${person} has been here for ${years} years, works ${abroad ? 'abroad' : 'at home'} and ${weekend ? 'also' : 'never'} at weekends.`;
  const put = random.pick([
    `How many days does ${person} get?`,
    `Days of leave for ${person}?`,
    `Tell me the number of days for ${person}.`,
  ]);
  const text = random.chance(0.5)
    ? `${said.join(' ')} ${facts} ${put}`
    : `${put} ${facts}\n\n${said.map((one) => `- ${one}`).join('\n')}`;
  return asked(spoken(random, text), { kind: 'number', value: days }, -0.4 + depth * 1.4);
}

const TASKS = [
  'paint the wall',
  'lay the floor',
  'order tiles',
  'call the plumber',
  'sign the lease',
  'hang the doors',
  'test the heating',
  'move in',
];

/** An order of work that breaks no condition. */
export function order(random: Random): Ask {
  const names = random.some(TASKS, random.few(2, 7));
  const all = names.flatMap((first, at) => names.slice(at + 1).map((second) => [first, second] as const));
  const before = random.some(all, random.few(1, Math.min(7, all.length)));
  const shown = random.some(names, names.length);
  const conditions = before.map(([first, second]) =>
    random.pick([
      `"${first}" must come before "${second}"`,
      `do not ${second} until you have done: ${first}`,
      `"${second}" only after "${first}"`,
    ]),
  );
  const put = random.pick([
    `Plan this: ${shown.join(', ')}. ${conditions.join('; ')}. Give the order, one to a line.`,
    `In which order can I ${shown.join(', ')}?\n${conditions.map((one) => `- ${one}`).join('\n')}`,
    `I have to ${shown.join(', ')}. ${conditions.join('. ')}. List them in an order that works.`,
  ]);
  return asked(spoken(random, put), { kind: 'order', names, before }, names.length * 0.3 + before.length * 0.9);
}

/** Who sits where, from clues that have to be joined. */
export function seats(random: Random): Ask {
  const row = random.some(PEOPLE, random.few(2, 6));
  const clues = row
    .slice(1)
    .map((name, at) =>
      random.chance(0.5)
        ? `${name} sits directly to the right of ${row[at]}`
        : `${row[at]} is the left neighbour of ${name}`,
    );
  const shown = random.some(clues, clues.length);
  const at = random.between(0, row.length - 1);
  const put = random.pick([
    `Who sits in seat ${at + 1} from the left?`,
    `Seat ${at + 1}, counted from the left, is whose?`,
    `Name the person in seat ${at + 1} (from the left).`,
  ]);
  const others = row.filter((name) => name !== row[at]);
  return asked(
    spoken(random, `${row.length} people sit in one row. ${shown.join('. ')}. ${put} One name.`),
    { kind: 'words', all: [row[at]!], none: others },
    clues.length * 1.2,
  );
}

/** The best of several offers under conditions. */
export function offers(random: Random): Ask {
  const cities = random.some(CITIES, random.between(2, 9));
  const list = cities.map((city, at) => ({
    city,
    price: 80 + 13 * at + random.between(0, 11),
    stars: random.between(1, 5),
    breakfast: random.chance(0.5),
    near: random.chance(0.5),
  }));
  const shown = random.some(list, list.length);
  const tests = random.some(
    [
      { say: 'with breakfast', holds: (one: (typeof list)[number]) => one.breakfast },
      { say: 'near the station', holds: (one: (typeof list)[number]) => one.near },
      { say: 'with at least 3 stars', holds: (one: (typeof list)[number]) => one.stars >= 3 },
      { say: 'for no more than 140 euros', holds: (one: (typeof list)[number]) => one.price <= 140 },
    ],
    random.few(0, 4),
  );
  const best = list.find((one) => tests.every(({ holds }) => holds(one)));
  const table = shown.map(
    ({ city, price, stars, breakfast, near }) =>
      `${city}: ${price} euros, ${stars} stars, ${breakfast ? 'breakfast' : 'no breakfast'}, ${near ? 'near the station' : 'far from the station'}`,
  );
  const wish = tests.map(({ say }) => say).join(' and ');
  const put = random.pick([
    `Which is the cheapest ${wish}?`,
    `Compare these. The lowest price ${wish}?`,
    `Pick the cheapest one ${wish}.`,
  ]);
  const others = cities.filter((city) => city !== best?.city);
  return asked(
    spoken(random, `${put} Answer with the city, or "none".\n${table.join('\n')}`),
    best ? { kind: 'words', all: [best.city], none: others } : { kind: 'words', all: ['none'], none: cities },
    0.2 + tests.length * 1.1 + list.length * 0.25,
  );
}

/** The content is trivial, the form is not. */
export function form(random: Random): Ask {
  const things = random.some(THINGS, random.few(1, 8));
  const upper = random.chance(0.5);
  const reversed = random.chance(0.5);
  const counted = random.chance(0.4);
  const joined = random.pick([', ', ' / ', '; ']);
  const sorted = [...things].sort();
  if (reversed) sorted.reverse();
  const items = sorted.map((thing, at) => {
    const word = upper ? thing.toUpperCase() : thing;
    return counted ? `${at + 1}=${word}` : word;
  });
  const wants = [
    `one line, exactly these words: ${things.join(', ')}`,
    reversed ? 'from z to a' : 'from a to z',
    `"${joined}" between them`,
    ...(upper ? ['all in capitals'] : []),
    ...(counted ? ['each with its place and an equals sign before it, like 1=word'] : []),
  ];
  const put = random.pick([
    `Write ${wants.join('; ')}.`,
    `I need ${wants.join(', and ')}.`,
    `Format this:\n${wants.map((one) => `- ${one}`).join('\n')}`,
  ]);
  const load = -0.7 + wants.length * 0.7 + things.length * 0.3 + (reversed ? 0.6 : 0);
  return asked(spoken(random, put), { kind: 'line', text: items.join(joined) }, load);
}
