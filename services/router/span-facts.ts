/** What a trace shows of a call beside its tries: what was left out, masked, given again, and how well it is supported. */
import type { CompleteResult } from '@tutti/contracts';

type Attributes = Record<string, string | number | boolean | string[]>;

/** Kinds come with how many: `history 4`. */
export function factsOf(result: CompleteResult): Attributes {
  const { packing, masked, cached, grounding, notes, prompt } = result;
  const facts: Attributes = { 'tutti.model': result.model, 'tutti.degraded': result.degraded ?? false };
  if (packing) {
    facts['tutti.packing.left_out'] = packing.leftOut.map(({ kind, count }) => `${kind} ${count}`);
    facts['tutti.packing.shrunk'] = packing.shrunk.map(({ kind, count }) => `${kind} ${count}`);
    facts['tutti.packing.input_tokens'] = packing.inputTokens;
  }
  if (masked) facts['tutti.masked'] = Object.entries(masked).map(([word, count]) => `${word} ${count}`);
  if (cached) facts['tutti.cached'] = cached;
  if (grounding) {
    facts['tutti.grounding.score'] = grounding.score;
    facts['tutti.grounding.supported'] = grounding.supported;
  }
  if (notes?.length) facts['tutti.notes'] = notes;
  if (prompt) facts['tutti.prompt'] = `${prompt.name} ${prompt.version}`;
  return facts;
}
