/**
 * What a toolset of somebody else's looks like in a test: short spellings of schemas, and goals with the calls that they may
 * lead to. Owns the judgement: effects exactly as listed and no others; reads and answers at least as listed.
 */
import { Failure, type FakeTool, fake, object, Session } from '../driver.ts';

export { Failure };
// biome-ignore lint/suspicious/noExplicitAny: a fake reads whatever its own schema declares
export type Loose = any;
type Schema = Record<string, unknown>;
type Options = Parameters<typeof fake>[4];

const described = (type: string, description: string | undefined, extra: Schema): Schema => ({
  type,
  ...(description ? { description } : {}),
  ...extra,
});
export const S = (description?: string, extra: Schema = {}): Schema => described('string', description, extra);
export const I = (description?: string, extra: Schema = {}): Schema => described('integer', description, extra);
export const N = (description?: string, extra: Schema = {}): Schema => described('number', description, extra);
export const B = (description?: string): Schema => described('boolean', description, {});
export const E = (members: string[], description?: string, extra: Schema = {}): Schema =>
  S(description, { enum: members, ...extra });
export const A = (items: unknown, description?: string): Schema => described('array', description, { items });
export const DATE = (description?: string): Schema => S(description, { format: 'date' });
export const DT = (description?: string): Schema => S(description, { format: 'date-time' });
/** `name!` marks a required property. */
export const P = (properties: Schema): Schema =>
  object(
    Object.fromEntries(Object.entries(properties).map(([key, value]) => [key.replace('!', ''), value])),
    Object.keys(properties)
      .filter((key) => key.endsWith('!'))
      .map((key) => key.slice(0, -1)),
  );
export const t = (
  name: string,
  description: string,
  parameters: Schema,
  run: (args: Loose) => unknown,
  options: Options = {},
): FakeTool => fake(name, description, P(parameters), run, options);
export const IRR = { effect: 'irreversible' } as const;
export const KEYED = { effect: 'keyed' } as const;

export const builtins: FakeTool[] = [
  t(
    'calculator',
    'Computes an arithmetic expression exactly: use it for every sum, difference, product, percentage or average instead of computing in your head.',
    { 'expression!': S('The expression to compute.', { examples: ['412 + 3 * 189'] }) },
    (args) => ({ expression: args.expression, result: 42 }),
    { returns: P({ expression: S(), result: N() }) },
  ),
  t(
    'current_time',
    'Tells the date, the time and the day of the week right now in a time zone. Use it before working with relative dates such as "tomorrow" or "next Friday".',
    { timeZone: S('IANA time zone; UTC where it is left out.', { examples: ['Europe/Berlin'], default: 'UTC' }) },
    () => ({ iso: '2026-11-22T14:00:00Z', date: '2026-11-22', time: '15:00:00', weekday: 'Sunday' }),
    { returns: P({ iso: DT(), date: DATE(), time: S(), weekday: S() }) },
  ),
];

type Expected = [string, Record<string, unknown>];
export interface Goal {
  /** Several texts are turns of one session; what is expected is expected of the last. */
  readonly say: string | string[];
  readonly effects?: Expected[];
  readonly reads?: Expected[];
  readonly no?: string[];
  readonly answer?: RegExp;
  /** The effects' arguments are all that is passed. */
  readonly exact?: boolean;
  readonly world?: Loose;
}
export interface Domain {
  readonly name: string;
  readonly tools: (world: Loose) => FakeTool[];
  readonly goals: readonly Goal[];
  readonly facts?: string[];
}

const matches = (want: unknown, got: unknown): boolean => {
  if (want instanceof RegExp) return typeof got === 'string' && want.test(got);
  if (typeof want !== 'object' || want === null) return want === got;
  if (typeof got !== 'object' || got === null) return false;
  if (Array.isArray(want) && (!Array.isArray(got) || got.length !== want.length)) return false;
  return Object.entries(want).every(([key, value]) => matches(value, (got as Record<string, unknown>)[key]));
};

/** Tools that only read although their kind is not pure; calling them for an answer is no effect. */
const READS = /^(?:list|get|search|find|todo_list|post_rentals_search)/;
const say = (value: unknown): string => JSON.stringify(value, (_, one) => (one instanceof RegExp ? String(one) : one));

/** What is wrong with the outcome; empty where it is as expected. */
export function problemsOf(domain: Domain, goal: Goal): string[] {
  const tools = domain.tools(structuredClone(goal.world ?? {}));
  const session = new Session({ tools, facts: domain.facts ?? [] });
  const outcomes = [goal.say].flat().map((text) => session.say(text));
  const { calls, answer } = outcomes.at(-1)!;
  const kind = (name: string): string => tools.find((one) => one.definition.name === name)!.definition.effect;
  const effects = calls.filter((call) => kind(call.name) !== 'pure' && !READS.test(call.name));
  const wanted = goal.effects ?? [];
  const asWanted =
    effects.length === wanted.length &&
    wanted.every(
      ([name, args], index) =>
        effects[index]!.name === name &&
        matches(args, effects[index]!.arguments) &&
        (!goal.exact || Object.keys(args).length === Object.keys(effects[index]!.arguments).length),
    );
  return [
    ...(asWanted ? [] : [`effects ${say(effects.map((one) => [one.name, one.arguments]))} instead of ${say(wanted)}`]),
    ...(goal.reads ?? [])
      .filter(([name, args]) => !calls.some((call) => call.name === name && matches(args, call.arguments)))
      .map((one) => `no call ${say(one)} in ${say(calls.map((call) => [call.name, call.arguments]))}`),
    ...(goal.no ?? []).filter((name) => calls.some((call) => call.name === name)).map((name) => `${name} was called`),
    ...(goal.answer && !goal.answer.test(answer) ? [`answer: ${answer}`] : []),
  ];
}
