/** Families that fill most days: small talk, tone, logs, records, bills, units. */
import type { Random } from '../random.ts';
import { type Ask, asked } from './ask.ts';
import { CITIES, filler, PEOPLE, spoken, THINGS } from './voice.ts';

const PHRASES = [
  ['thank you', 'German', 'danke'],
  ['good morning', 'French', 'bonjour'],
  ['see you tomorrow', 'Spanish', 'mañana'],
  ['please', 'Italian', 'favore'],
  ['happy birthday', 'German', 'Geburtstag'],
  ['cheers', 'Norwegian', 'skål'],
] as const;

/** What hardly needs a model. */
export function smallTalk(random: Random): Ask {
  const [phrase, language, answer] = random.pick(PHRASES);
  const put = random.pick([
    `How do I say "${phrase}" in ${language}?`,
    `Translate to ${language}: ${phrase}`,
    `${phrase} in ${language}?`,
    `Write a line to a friend that ends with "${phrase}" in ${language}.`,
  ]);
  return asked(spoken(random, put), { kind: 'words', all: [answer] }, random.between(2, 7) / 5);
}

/** The tone of a review: plain, mixed, or by irony. */
export function tone(random: Random): Ask {
  const [text, answer, load] = random.pick([
    ['The room was clean and the people were kind. I will come again.', 'positive', 0.4],
    ['Broken lift, cold water, no refund. Never again.', 'negative', 0.4],
    ['I had feared the worst after what my sister told me, but not one of her complaints held.', 'positive', 2.5],
    ['Great idea to wake all guests at 5 with a drill; the best alarm that I never asked for.', 'negative', 3],
    [
      'It is not that the food was bad; there just was nothing about it that I would want to eat twice.',
      'negative',
      2.8,
    ],
    ['Nothing here was worth complaining about, and believe me, I tried.', 'positive', 2.8],
  ] as const);
  const long = random.chance(0.4) ? `${filler(random, random.pick([40, 150]))} ${text}` : text;
  const put = random.pick([
    'Is this review positive or negative?',
    'Positive or negative?',
    'Classify the tone (positive, negative):',
  ]);
  return asked(
    spoken(random, `${put}\n"${long}"`),
    { kind: 'words', all: [answer], none: [answer === 'positive' ? 'negative' : 'positive'] },
    load,
  );
}

/** A line in a long log: much to read, little to think. */
export function logLine(random: Random): Ask {
  const lines = random.between(5, 60);
  const bad = random.between(0, lines - 1);
  const code = random.between(400, 599);
  const log = Array.from({ length: lines }, (_, at) => {
    const time = `2027-03-0${random.between(1, 9)}T0${at % 10}:${String(random.between(10, 59))}:00Z`;
    return at === bad
      ? `${time} ERROR [worker-${random.between(1, 9)}] request failed: status=${code}; retry=false`
      : `${time} INFO [worker-${random.between(1, 9)}] request done: status=200; took=${random.between(3, 900)}ms`;
  });
  const put = random.pick([
    'Which status does the error have?',
    'Find the exception in this and tell me its status.',
    'status of the failed request?',
  ]);
  return asked(`${put}\n\n\`\`\`\n${log.join('\n')}\n\`\`\``, { kind: 'number', value: code }, 0.6 + lines / 60);
}

/** A value out of nested JSON, or a count over it. */
export function record(random: Random): Ask {
  const orders = Array.from({ length: random.few(1, 9) }, (_, at) => ({
    id: `o${at + 1}`,
    city: random.pick(CITIES),
    items: random.between(1, 20),
    paid: random.chance(0.5),
  }));
  const text = JSON.stringify({ orders }, null, random.chance(0.5) ? 2 : 0);
  const at = random.between(0, orders.length - 1);
  const paid = orders.filter((one) => one.paid);
  const items = paid.reduce((sum, one) => sum + one.items, 0);
  const [put, value, load] = random.pick([
    [`How many items has order ${orders[at]!.id}?`, orders[at]!.items, 0.6 + orders.length * 0.08],
    [`How many orders are paid?`, paid.length, 0.8 + orders.length * 0.35],
    [`How many items are in paid orders altogether?`, items, 1 + orders.length * 0.25 + paid.length * 0.5],
  ] as const);
  return asked(spoken(random, `${put}\n\n${text}`), { kind: 'number', value }, load);
}

/** A bill with quantities, and perhaps something off. */
export function bill(random: Random): Ask {
  const lines = random
    .some(THINGS, random.few(1, 6))
    .map((thing) => ({ thing, count: random.between(1, 6), price: random.between(2, 30) }));
  const total = lines.reduce((sum, { count, price }) => sum + count * price, 0);
  const off = random.pick([0, 0, 10, 20]);
  const value = Math.round(total * (100 - off)) / 100;
  const rows = lines.map(({ thing, count, price }) => `${count} ${thing} at ${price} euros`);
  const less = off > 0 ? ` There is ${off}% off.` : '';
  const put = random.pick([
    `What do I pay for ${rows.join(', ')}?${less}`,
    `Total of this, please:\n${rows.map((row) => `- ${row}`).join('\n')}\n${less}`,
    `I bought ${rows.join(' and ')}.${less} How much is that?`,
  ]);
  return asked(spoken(random, put), { kind: 'number', value }, lines.length * 0.9 + (off > 0 ? 1.2 : 0));
}

/** From one unit to the next. */
export function units(random: Random): Ask {
  const size = random.between(2, 90);
  const [put, value, load] = random.pick([
    [`How many minutes are ${size} hours?`, size * 60, 1],
    [`${size} km in metres?`, size * 1_000, 0.6],
    [`How many seconds are ${size} days?`, size * 86_400, 3.2],
    [
      `A pump moves ${size} litres a second. How many cubic metres a day, rounded to whole ones?`,
      Math.round(size * 86.4),
      4.5,
    ],
    [`${size} dozen eggs: how many?`, size * 12, 1.2],
    [`At ${size} km/h, how many metres do I go in 18 seconds?`, size * 5, 4],
  ] as const);
  return asked(spoken(random, put), { kind: 'number', value }, load);
}

/** How many of a list are of a kind. */
export function counting(random: Random): Ask {
  const names = Array.from({ length: random.few(2, 30) }, () => random.pick(PEOPLE));
  const name = random.pick(names);
  const value = names.filter((one) => one === name).length;
  const put = random.pick([
    `How often does ${name} stand here?`,
    `Count ${name}:`,
    `Number of times "${name}" is in the list?`,
  ]);
  return asked(
    spoken(random, `${put}\n${names.join(random.chance(0.5) ? ', ' : '\n')}`),
    { kind: 'number', value },
    0.3 + names.length * 0.2,
  );
}

const GENERAL: readonly (readonly [string, string, number])[] = [
  ['What is the boiling point of water in Celsius?', '100', 0.4],
  ['Who painted the Mona Lisa?', 'Leonardo', 0.4],
  ['When did the second world war end?', '1945', 0.5],
  ['Where is the Eiffel Tower?', 'Paris', 0.3],
  ['Name the gas that plants take in.', 'carbon dioxide', 0.6],
  ['Define "bilingual" by a number: it means to speak how many languages?', '2', 0.7],
  ['Why does ice float? Name the property.', 'density', 1.8],
  ['Explain in one word why the sky is blue.', 'scattering', 2],
  ['Should I store honey in a fridge? Yes or no, and think of crystals.', 'no', 2.6],
  ['Compare water, ethanol and mercury: which boils first, and which last?', 'mercury', 3.2],
  ['Evaluate whether 2^10 is more than 10^3, and by how much.', '24', 3.4],
  ['If all bloops are razzies and no razzie is a lazzie, can a bloop be a lazzie?', 'no', 3.6],
  ['Design a code of zeros and ones for five letters, all words of one length: how long are they at least?', '3', 6.2],
  ['Prove or refute: the sum of two odd squares can be a square. One word.', 'refute', 6],
  [
    'Derive how many handshakes there are if 12 people each greet everybody but their partner, in 6 couples.',
    '60',
    5.5,
  ],
  ['Plan a way to cross with a wolf, a goat and a cabbage: how many trips at the best?', '7', 4.8],
  [
    'Analyse this trade-off: a loan of 1000 at 10% simple or 9.8% compound over 3 years; which costs less?',
    'simple',
    5.2,
  ],
];

/** What people ask when they ask a bit of everything. */
export function general(random: Random): Ask {
  const [put, answer, load] = random.pick(GENERAL);
  return asked(spoken(random, put), { kind: 'words', all: [answer] }, load);
}
