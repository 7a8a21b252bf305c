/**
 * How hard a request looks, from features that cost nothing: a logistic regression over them. Pure. The difficulty is
 * meant as the chance that a small model gets the request wrong. Weights come from calibration (`npx tutti calibrate`):
 * the built-in ones from the set that this repository makes itself, a bundle's `routing.weights` from wherever it likes.
 */
import type { ChatRequest } from '@tutti/contracts';
import { DEFAULT_WEIGHTS } from './routing-defaults.ts';

export const FEATURES = [
  'bias',
  /**
   * What has to be put together: numbers, names and quoted words (each once), signs and words of calculation, of relation
   * ("before", "left of") and of condition ("unless", "at least"), and all that the features below count but `simple`.
   * One count over all of them tells more of asks of an unknown kind than each by itself.
   */
  'givens',
  /** Words of the newest user message, pasted code and records left out. */
  'length',
  /** Words that ask for reasons, comparisons, plans, designs. */
  'reasoning',
  /** Words of programs that decide or repeat, where there is code at all. */
  'code',
  /** Lookups and small talk: who, when, where, what is, translate. */
  'simple',
  'passages',
  'tools',
  /** Turns of the conversation before. */
  'turns',
  /** Properties of the JSON that is asked for. */
  'schema',
] as const;
export type Feature = (typeof FEATURES)[number];
export type Features = Readonly<Record<Feature, number>>;
export type Weights = Readonly<Record<string, number>>;

/** More of one can only make a request harder, but for these, which can only make it easier. */
export const EASIER: ReadonlySet<Feature> = new Set<Feature>(['simple']);

const REASONING =
  /\b(?:why|explain|compare|contrast|prove|derive|design|evaluate|analy[sz]e|trade-?offs?|optimi[sz]e|strategy|plan|reason|infer|deduce|step by step|implications?|diagnose|debug|refactor|critique|should|best|cheapest)\b/gi;
const SUMS =
  /[+×*÷=%]|\b(?:how many|how much|total|sum|add|plus|minus|times|half|twice|percent|difference|differ|average|altogether|come to)\b/gi;
const RELATIONS =
  /\b(?:before|after|left|right|above|below|next to|neighbour|than|earlier|later|older|younger|last|in the end|order|alphabetical|backwards|each|every)\b/gi;
const CONDITIONS =
  /\b(?:only|at least|at most|unless|except|without|must|if|but not|exactly|no more than|both|neither|either|instead|until|whatever|never)\b/gi;
const CODE = /\b(?:for|while|if|else|elif|switch|case|return|catch|except|WHERE|JOIN)\b(?=[\s(:])/g;
const LOOKS_LIKE_CODE = /```|\n {2,}\S|[;{]\s*\n/;
const SIMPLE =
  /\b(?:who|when|where|what is|what's|tell me|translate|define|capital of|name|classify|find|extract|repeat|thanks?|hello|hi)\b/gi;
const WORD = /\S+/g;
const NUMBER = /\d+(?:[.,:-]\d+)*/g;
const NAME = /(?<=[a-z,;:] )\p{Lu}\p{Ll}+|["“][^"”\n]{1,40}["”]/gu;
const FENCED = /```[\s\S]*?```/g;
const RECORD = /\{[\s\S]*\}/;
/** More of the newest message is not looked at. */
const CHARS_LOOKED_AT = 8_000;
/** What is asked stands at the beginning or at the end; what is between them in a longer message is material. */
const ENDS_CHARS = 500;

/** What the features look at. */
export type Asked = Pick<ChatRequest, 'messages' | 'tools' | 'passages' | 'responseFormat'>;

/** Counts as logarithms: the tenth condition says less than the second. */
export function featuresOf(request: Asked): Record<Feature, number> {
  const users = request.messages.filter(({ role }) => role === 'user');
  const whole = (users.at(-1)?.content ?? '').slice(0, CHARS_LOOKED_AT);
  const text = askIn(whole);
  const more = {
    reasoning: count(text, REASONING),
    code: LOOKS_LIKE_CODE.test(whole) ? count(whole, CODE) : 0,
    passages: request.passages.length,
    tools: request.tools.length,
    turns: Math.max(0, users.length - 1),
    schema: propertiesOf(request.responseFormat),
  };
  const words = [NUMBER, SUMS, RELATIONS, CONDITIONS].reduce((sum, pattern) => sum + count(text, pattern), 0);
  const givens = words + new Set(text.match(NAME)).size + Object.values(more).reduce((sum, one) => sum + one, 0);
  return {
    bias: 1,
    givens: Math.log1p(givens),
    length: Math.log1p(count(text, WORD)),
    reasoning: Math.log1p(more.reasoning),
    code: Math.log1p(more.code),
    simple: Math.log1p(count(text, SIMPLE)),
    passages: Math.log1p(more.passages),
    tools: Math.log1p(more.tools),
    turns: Math.log1p(more.turns),
    schema: Math.log1p(more.schema),
  };
}

/** 0 to 1. Weights that are not given are the built-in ones. */
export function difficultyOf(features: Features, weights: Weights = {}): number {
  let sum = 0;
  for (const name of FEATURES) sum += features[name] * (weights[name] ?? DEFAULT_WEIGHTS[name]);
  return 1 / (1 + Math.exp(-sum));
}

function askIn(message: string): string {
  const prose = message.replace(FENCED, ' ').replace(RECORD, ' ');
  if (prose.length <= 2 * ENDS_CHARS) return prose;
  return `${prose.slice(0, ENDS_CHARS)}\n${prose.slice(-ENDS_CHARS)}`;
}

function count(text: string, pattern: RegExp): number {
  return text.match(pattern)?.length ?? 0;
}

function propertiesOf(format: Asked['responseFormat']): number {
  return format.type === 'json_schema' ? Object.keys(format.schema.properties ?? {}).length : 0;
}
