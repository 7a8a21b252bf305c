/** What the router knows of a model. The catalogue is a list of these, best first. */

export type Ability = 'tools' | 'json';

export interface ModelEntry {
  /** The name that agents and requests use. */
  id: string;
  /** Which adapter talks to it. */
  provider: string;
  description: string;
  abilities: readonly Ability[];
  /** US dollars per million tokens. */
  price: { input: number; output: number };
  /** Answers when everything better has failed; such an answer is marked degraded. */
  lastResort: boolean;
}

export interface TokenCount {
  inputTokens: number;
  outputTokens: number;
}

const TOKENS_PER_PRICE = 1_000_000;

/** US dollars. */
export function costOf(model: ModelEntry, usage: TokenCount): number {
  return (usage.inputTokens * model.price.input + usage.outputTokens * model.price.output) / TOKENS_PER_PRICE;
}
