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
  /** Output that nobody sees; as `output` where it is left out. */
  reasoning?: number | undefined;
}

export interface CountedTokens {
  /** All of the input, cached or not. */
  inputTokens: number;
  outputTokens: number;
  cachedInputTokens?: number | undefined;
  /** Among the output's. */
  reasoningTokens?: number | undefined;
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
  const output = Math.min(tokens.outputTokens, CALL_TOKENS_MAX);
  const reasoning = Math.min(tokens.reasoningTokens ?? 0, output);
  const pico =
    (input - cached) * picoPerToken(prices.input) +
    cached * picoPerToken(prices.cachedInput ?? prices.input) +
    (output - reasoning) * picoPerToken(prices.output) +
    reasoning * picoPerToken(prices.reasoning ?? prices.output);
  return Math.ceil(pico / PICO_PER_NANO);
}

/** The same prices with every kind at its dearest: what is set aside covers whatever comes. */
export function dearest({ input, output, cachedInput, reasoning }: TokenPrices): TokenPrices {
  return { input: Math.max(input, cachedInput ?? 0), output: Math.max(output, reasoning ?? 0) };
}

/** The most output tokens that this much money pays for beside that input. Negative: not even the input. */
export function outputTokensFor(nano: number, prices: TokenPrices, inputTokens: number): number {
  const worst = dearest(prices);
  const left = nano - costNano(worst, { inputTokens, outputTokens: 0 });
  if (left < 0) return -1;
  const price = picoPerToken(worst.output);
  return price === 0 ? CALL_TOKENS_MAX : Math.min(CALL_TOKENS_MAX, Math.floor((left * PICO_PER_NANO) / price));
}
