/**
 * How hard a request looks, from features that cost nothing: a logistic regression over them. Pure. The built-in weights
 * are set by hand; a bundle's `routing` may have others.
 */
import type { ChatRequest } from '@tutti/contracts';

export const FEATURES = [
  'bias',
  /** Words of the newest user message, as a logarithm. */
  'length',
  /** Things to do in one request: list items, question marks, "then", "and also". */
  'parts',
  /** Words that ask for reasons, comparisons, proofs, designs. */
  'reasoning',
  /** Numbers beyond the first two. */
  'numbers',
  'code',
  /** "Only", "at least", "unless", "except": conditions that have to hold together. */
  'conditions',
  /** Lookups and small talk: who, when, where, thanks, translate. */
  'simple',
  /** Passages to read, as a logarithm. */
  'passages',
  'tools',
  /** Turns of the conversation before, as a logarithm. */
  'turns',
  'schema',
] as const;
export type Feature = (typeof FEATURES)[number];
export type Weights = Readonly<Record<string, number>>;

export const DEFAULT_WEIGHTS: Record<Feature, number> = {
  bias: -3.2,
  length: 0.45,
  parts: 0.7,
  reasoning: 1.2,
  numbers: 0.35,
  code: 0.9,
  conditions: 0.6,
  simple: -0.9,
  passages: 0.25,
  tools: 0.3,
  turns: 0.15,
  schema: 0.2,
};

const PARTS =
  /(?:^|\n)\s*(?:[-*•]|\d+[.)])\s|\?|;|\b(?:then|and then|after that|and also|finally|first|second|third)\b/gi;
const REASONING =
  /\b(?:why|explain|compare|contrast|prove|derive|design|evaluate|analy[sz]e|trade-?offs?|optimi[sz]e|strategy|plan|reason|infer|deduce|step by step|implications?|diagnose|debug|refactor|critique|how many|how much|total|difference between)\b/gi;
const CODE = /```|[{};]\s*\n|\b(?:function|class|def|SELECT|import|regex|algorithm|stack trace|exception)\b/g;
const CONDITIONS =
  /\b(?:only|at least|at most|unless|except|without|must|if|but not|exactly|no more than|both|neither|between)\b/gi;
const SIMPLE = /\b(?:who|when|where|what is|what's|thanks?|hello|hi|translate|spell|define|capital of|name|list)\b/gi;
const NUMBER = /\d+(?:[.,]\d+)*/g;
/** More of the newest message is not looked at. */
const CHARS_LOOKED_AT = 8_000;
const COUNT_MAX = 6;

export function featuresOf(request: ChatRequest): Record<Feature, number> {
  const users = request.messages.filter(({ role }) => role === 'user');
  const text = (users.at(-1)?.content ?? '').slice(0, CHARS_LOOKED_AT);
  return {
    bias: 1,
    length: Math.log1p(text.split(/\s+/).filter(Boolean).length),
    parts: count(text, PARTS),
    reasoning: count(text, REASONING),
    numbers: Math.max(0, count(text, NUMBER) - 2),
    code: Math.min(2, count(text, CODE)),
    conditions: count(text, CONDITIONS),
    simple: Math.min(2, count(text, SIMPLE)),
    passages: Math.log1p(request.passages.length),
    tools: request.tools.length > 0 ? 1 : 0,
    turns: Math.log1p(Math.max(0, users.length - 1)),
    schema: request.responseFormat.type === 'json_schema' ? 1 : 0,
  };
}

/** 0 to 1. Weights that are not given are the built-in ones. */
export function difficultyOf(request: ChatRequest, weights: Weights = {}): number {
  const features = featuresOf(request);
  let sum = 0;
  for (const name of FEATURES) sum += features[name] * (weights[name] ?? DEFAULT_WEIGHTS[name]);
  return 1 / (1 + Math.exp(-sum));
}

function count(text: string, pattern: RegExp): number {
  return Math.min(COUNT_MAX, text.match(pattern)?.length ?? 0);
}
