/** Families that are mostly easy: facts, small edits of a text, one figure out of what was given. */
import type { Random } from '../random.ts';
import { type Ask, asked } from './ask.ts';
import { CITIES, filler, PEOPLE, spoken } from './voice.ts';

/** How far from common knowledge, in steps. */
const FACTS: readonly (readonly [string, string, number])[] = [
  ['capital of France', 'Paris', 0.5],
  ['capital of Japan', 'Tokyo', 0.5],
  ['capital of Peru', 'Lima', 1],
  ['capital of Burkina Faso', 'Ouagadougou', 2.5],
  ['capital of Kyrgyzstan', 'Bishkek', 2.5],
  ['capital of Palau', 'Ngerulmud', 4.5],
  ['chemical symbol of gold', 'Au', 0.5],
  ['chemical symbol of tungsten', 'W', 1.5],
  ['largest planet of the solar system', 'Jupiter', 0.5],
  ['longest river of Europe', 'Volga', 2],
  ['author of "Pride and Prejudice"', 'Austen', 0.5],
  ['author of "The Leopard"', 'Lampedusa', 3],
  ['year in which the Berlin Wall fell', '1989', 1],
  ['year in which the Treaty of Tordesillas was signed', '1494', 3.5],
  ['currency of Switzerland', 'franc', 0.5],
  ['currency of Bhutan', 'ngultrum', 3.5],
];

export function lookup(random: Random): Ask {
  const [thing, answer, load] = random.pick(FACTS);
  const put = random.pick([
    `What is the ${thing}?`,
    `Tell me the ${thing}.`,
    `The ${thing}, please?`,
    `I forgot: the ${thing} is …?`,
    `Name the ${thing}.`,
  ]);
  return asked(spoken(random, put), { kind: 'words', all: [answer] }, load);
}

const WORDS = [
  'window',
  'harbour',
  'pepper',
  'silence',
  'mountain',
  'lantern',
  'bridge',
  'velvet',
  'orchard',
  'signal',
];

/** Changes to a text: copies are easy, letters are not. */
export function edit(random: Random): Ask {
  const words = random.some(WORDS, random.few(1, 4));
  const phrase = words.join(' ');
  const letters = words.join('').length;
  const [put, text, load] = random.pick([
    [`Write "${phrase}" in capitals.`, phrase.toUpperCase(), 0.5],
    [`Repeat this word for word: ${phrase}`, phrase, 0.5],
    [`Put these words in alphabetical order, commas between: ${phrase}`, [...words].sort().join(', '), words.length],
    [`Spell "${phrase}" backwards.`, [...phrase].reverse().join(''), letters / 4],
    [
      `Give me the first letter of each word, without spaces: ${phrase}`,
      words.map((one) => one[0]).join(''),
      words.length / 2,
    ],
    [`Remove every e from "${phrase}".`, phrase.replaceAll('e', ''), letters / 5],
  ] as const);
  return asked(spoken(random, put), { kind: 'line', text }, load);
}

/** One fact, or several, out of a long text that the user has pasted. */
export function pasted(random: Random): Ask {
  const people = random.some(PEOPLE, 6);
  const rooms = people.map(() => random.between(100, 999));
  const said = people.map((name, at) => `${name} now works in room ${rooms[at]}.`);
  const words = random.pick([60, 200, 500, 900]);
  const text = said.map((sentence) => `${filler(random, words / 6)} ${sentence}`).join('\n\n');
  const hops = random.few(1, 4);
  const asks = people.slice(0, hops);
  const sum = rooms.slice(0, hops).reduce((a, b) => a + b, 0);
  const put =
    hops === 1
      ? random.pick([`In which room does ${asks[0]} work?`, `Room number of ${asks[0]}?`])
      : random.pick([
          `Add up the room numbers of ${asks.join(', ')}. What do you get?`,
          `Somebody needs one number: the rooms of ${asks.join(' plus ')}.`,
        ]);
  const load = (hops === 1 ? 1 : 2 * hops - 1) + words / 600;
  const whole = random.chance(0.5) ? `${put}\n\n${text}` : `${text}\n\n${put}`;
  return asked(whole, { kind: 'number', value: sum }, load);
}

/** What something is called in a letter, an address or an order that fills a schema. */
export function fields(random: Random): Ask {
  const name = random.pick(PEOPLE);
  const city = random.pick(CITIES);
  const nights = random.between(1, 9);
  const price = random.between(40, 240);
  const known: [string, unknown, number][] = [
    ['name', name, 0.3],
    ['city', city, 0.3],
    ['nights', nights, 0.3],
    ['pricePerNight', price, 0.3],
    ['total', nights * price, 1.5],
    ['deposit', Math.round(nights * price * 0.2), 2.5],
  ];
  const wanted = random.some(known, random.few(1, 6));
  const text = random.pick([
    `${name} stays in ${city} for ${nights} nights at ${price} euros a night. The deposit is 20% of the whole, rounded to euros.`,
    `Booking: guest ${name}; place ${city}; ${nights} nights; rate ${price} EUR; a fifth of the total is due now (whole euros).`,
  ]);
  const put = random.pick(['Fill in the form from this.', 'Extract the fields.', 'Turn this into the record.']);
  const schema = {
    type: 'object',
    properties: Object.fromEntries(
      wanted.map(([key, value]) => [key, { type: typeof value === 'string' ? 'string' : 'number' }]),
    ),
    required: wanted.map(([key]) => key),
    additionalProperties: false,
  };
  const load = 0.4 + wanted.reduce((sum, [, , own]) => sum + own, 0);
  return asked(
    spoken(random, `${put} ${text}`),
    { kind: 'json', value: Object.fromEntries(wanted.map(([key, value]) => [key, value])) },
    load,
    { responseFormat: { type: 'json_schema', name: 'record', schema } },
  );
}
