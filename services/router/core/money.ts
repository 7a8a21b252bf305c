/**
 * Money as whole nano-dollars. Prices are dollars per million tokens, which is micro-dollars per token: they become whole
 * pico-dollars per token once, and from there on everything is integers. Costs are rounded up.
 */

/** Tokens of one call that are counted at most: keeps every product a safe integer (up to $900 per million tokens). */
export const CALL_TOKENS_MAX = 10_000_000;
const NANO_PER_USD = 1e9;
const PICO_PER_MICRO = 1e6;
const PICO_PER_NANO = 1_000;

/** US dollars per million tokens. */
export interface TokenPrices {
  input: number;
  output: number;
  /** Input that the provider had in its prompt cache; as `input` where it is left out. */
  cachedInput?: number | undefined;
}

export interface CountedTokens {
  /** All of the input, cached or not. */
  inputTokens: number;
  outputTokens: number;
  cachedInputTokens?: number | undefined;
}

export function nanoOfUsd(usd: number): number {
  return Math.round(usd * NANO_PER_USD);
}

export function usdOfNano(nano: number): number {
  return nano / NANO_PER_USD;
}

export function picoPerToken(usdPerMillionTokens: number): number {
  return Math.round(usdPerMillionTokens * PICO_PER_MICRO);
}

/** Whole nano-dollars, rounded up. */
export function costNano(prices: TokenPrices, tokens: CountedTokens): number {
  const input = Math.min(tokens.inputTokens, CALL_TOKENS_MAX);
  const cached = Math.min(tokens.cachedInputTokens ?? 0, input);
  const pico =
    (input - cached) * picoPerToken(prices.input) +
    cached * picoPerToken(prices.cachedInput ?? prices.input) +
    Math.min(tokens.outputTokens, CALL_TOKENS_MAX) * picoPerToken(prices.output);
  return Math.ceil(pico / PICO_PER_NANO);
}

/** The most output tokens that this much money pays for beside that input. Negative: not even the input. */
export function outputTokensFor(nano: number, prices: TokenPrices, inputTokens: number): number {
  const left = nano - costNano({ ...prices, cachedInput: undefined }, { inputTokens, outputTokens: 0 });
  if (left < 0) return -1;
  const price = picoPerToken(prices.output);
  return price === 0 ? CALL_TOKENS_MAX : Math.min(CALL_TOKENS_MAX, Math.floor((left * PICO_PER_NANO) / price));
}
