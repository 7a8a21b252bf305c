/** Text → a vector whose direction is its meaning. Rejects when it cannot; the same text gives nearly the same vector. */
export interface Embedder {
  embed(text: string, signal: AbortSignal): Promise<readonly number[]>;
}
