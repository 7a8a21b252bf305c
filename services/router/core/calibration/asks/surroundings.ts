/** Families where more than the newest message counts: passages, tools, earlier turns. */
import type { ChatMessage, Passage, ToolDefinition } from '@tutti/contracts';
import type { Random } from '../random.ts';
import { type Ask, asked, outputTokensOf } from './ask.ts';
import { CITIES, filler, spoken } from './voice.ts';

/** A figure out of passages, or something made of several of them. */
export function passages(random: Random): Ask {
  const cities = random.some(CITIES, random.between(2, 9));
  const limits = cities.map(() => random.between(60, 300));
  const given = cities.map(
    (city, at): Passage => ({
      id: `p${at}`,
      document: 'travel-policy',
      title: `Travel policy: ${city}`,
      text: `${filler(random, random.between(10, 60))} A night in ${city} may cost at most EUR ${limits[at]}. ${filler(random, 20)}`,
    }),
  );
  const joined = random.few(1, Math.min(4, cities.length));
  const [first, second] = cities as [string, string];
  const [one, two] = limits as [number, number];
  const sumOf = limits.slice(0, joined).reduce((a, b) => a + b, 0);
  const [put, value] =
    joined === 1
      ? [
          random.pick([
            `What is the limit for a night in ${first}?`,
            `Hotel ceiling ${first}?`,
            `How much may I spend per night in ${first}?`,
          ]),
          one,
        ]
      : joined === 2
        ? [
            random.pick([
              `By how much do the limits of ${first} and ${second} differ?`,
              `${first} or ${second}: what is the difference of their limits, in euros?`,
            ]),
            Math.abs(one - two),
          ]
        : [
            random.pick([
              `One night each in ${cities.slice(0, joined).join(', ')}: what may that cost at most?`,
              `Budget for a tour with a night in ${cities.slice(0, joined).join(' and in ')}?`,
            ]),
            sumOf,
          ];
  const load = (joined === 1 ? 0.8 : joined * 1.3) + given.length * 0.12;
  return asked(spoken(random, put), { kind: 'number', value }, load, { passages: random.some(given, given.length) });
}

const tool = (name: string, description: string, ...parameters: string[]): ToolDefinition => ({
  name,
  description,
  effect: 'pure',
  parameters: {
    type: 'object',
    properties: Object.fromEntries(parameters.map((parameter) => [parameter, { type: 'string' }])),
    required: parameters,
  },
});
const TOOLS = [
  tool('weather', 'The weather of a city on a day.', 'city', 'day'),
  tool('flights', 'Flights between two cities on a day.', 'from', 'to', 'day'),
  tool('hotels', 'Free hotel rooms of a city on a day.', 'city', 'day'),
  tool('rate', 'The exchange rate of two currencies.', 'from', 'to'),
  tool('calendar', 'What somebody has on a day.', 'person', 'day'),
  tool('news', 'Headlines about a subject.', 'subject'),
  tool('stock', 'How many of an article are there.', 'article'),
  tool('route', 'The way by car between two places.', 'from', 'to'),
  tool('holidays', 'Public holidays of a country in a year.', 'country', 'year'),
];

/** Which tools are called first. Goals in passing words need more of them than they name. */
export function tools(random: Random): Ask {
  const [from, to] = random.some(CITIES, 2) as [string, string];
  const day = `2027-0${random.between(1, 9)}-1${random.between(0, 9)}`;
  const [put, names, load] = random.pick([
    [`What is the weather in ${to} on ${day}?`, ['weather'], 0.8],
    [`Is there a hotel room in ${to} on ${day}?`, ['hotels'], 0.8],
    [`How much is a dollar in yen today?`, ['rate'], 1],
    [
      `Find flights from ${from} to ${to} on ${day} and rooms for the same night, then tell me the weather there.`,
      ['flights', 'hotels', 'weather'],
      3,
    ],
    [`Should I drive from ${from} to ${to} on ${day}, or fly?`, ['route', 'flights'], 4],
    [`Can I get to ${to} on ${day} without missing anything, and sleep there?`, ['calendar', 'flights', 'hotels'], 5.5],
    [`Would a trip to ${to} on ${day} be a bad idea?`, ['weather', 'news', 'holidays'], 6.5],
    [`Do we still have lamps?`, ['stock'], 1],
    [`Compare the weather of ${from} and ${to} on ${day}.`, ['weather'], 1.8],
  ] as [string, string[], number][]);
  const needed = TOOLS.filter(({ name }) => names.includes(name));
  const others = random.some(
    TOOLS.filter(({ name }) => !names.includes(name)),
    random.between(0, 6),
  );
  const offered = random.some([...needed, ...others], needed.length + others.length);
  return asked(spoken(random, put), { kind: 'tools', names }, load + offered.length * 0.15, { tools: offered });
}

/** The newest message is short; what it is about was said before. */
export function followUp(random: Random): Ask {
  let value = random.between(10, 90);
  const turns = random.few(1, 6);
  const messages: ChatMessage[] = [{ role: 'user', content: spoken(random, `Remember this number for me: ${value}.`) }];
  for (let turn = 1; turn < turns; turn++) {
    messages.push({ role: 'assistant', content: 'Noted.' });
    const amount = random.between(2, 20);
    const kind = random.pick(['more', 'less', 'chat'] as const);
    if (kind === 'more') value += amount;
    if (kind === 'less') value -= amount;
    const said = {
      more: `Make it ${amount} more.`,
      less: `Now ${amount} less, please.`,
      chat: `My train leaves at ${amount} past, by the way.`,
    };
    messages.push({ role: 'user', content: said[kind] });
  }
  const factor = random.pick([1, 1, 2, 3]);
  messages.push({ role: 'assistant', content: 'Noted.' });
  messages.push({
    role: 'user',
    content:
      factor === 1 ? random.pick(['So, what is it now?', 'And?', 'Which number is it?']) : `And ${factor} times that?`,
  });
  const load = 0.6 + (turns - 1) * 0.75 + (factor === 1 ? 0 : 1);
  return {
    chat: { messages },
    expected: { kind: 'number', value: value * factor },
    load,
    outputTokens: outputTokensOf(load),
  };
}
