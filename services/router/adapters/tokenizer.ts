/**
 * OpenAI's tokenizer, for every model: exact for OpenAI's own newer ones, near enough for others to pack by, with a
 * margin. Texts come again at every step of a run, so what was counted is kept.
 */
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';

/** Characters of all texts whose count is kept. */
const KEPT_CHARS_MAX = 8_000_000;
/** Shorter ones are counted faster than they are looked up. */
const KEPT_FROM_CHARS = 40;
const kept = new Map<string, number>();
let keptChars = 0;

export function countText(text: string): number {
  if (text.length < KEPT_FROM_CHARS) return count(text);
  const known = kept.get(text);
  if (known !== undefined) return known;
  const tokens = count(text);
  kept.set(text, tokens);
  keptChars += text.length;
  for (const oldest of kept.keys()) {
    if (keptChars <= KEPT_CHARS_MAX) break;
    kept.delete(oldest);
    keptChars -= oldest.length;
  }
  return tokens;
}

/** Marks such as `<|endoftext|>` in a text are text. */
function count(text: string): number {
  return countTokens(text, { allowedSpecial: new Set(), disallowedSpecial: new Set() });
}
