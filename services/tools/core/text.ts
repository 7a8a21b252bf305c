/** Text of results and names of tools: cut and cleaned with no loss that goes unsaid. */
import { contentHash } from '@tutti/contracts';

const NOTE_CHARS = 120;
export const TOOL_NAME_CHARS_MAX = 64;
const HASH_CHARS = 8;

/** At most `charsMax` characters; what is missing is said at the end. */
export function cutResult(content: string, charsMax: number): string {
  if (content.length <= charsMax) return content;
  const kept = content.slice(0, charsMax - NOTE_CHARS).replace(/[\ud800-\udbff]$/, '');
  return `${kept}\n[Cut: ${content.length - kept.length} of ${content.length} characters are missing. Ask for less at once.]`;
}

/**
 * A name that models and subjects take: `_` for every other character; the end of one that is too long gives way to a hash
 * of it. Undefined when nothing usable is left.
 */
export function toolName(prefix: string, name: string): string | undefined {
  const clean = `${prefix}${name}`.replace(/[^a-zA-Z0-9_-]/g, '_');
  if (clean.length <= TOOL_NAME_CHARS_MAX) return clean || undefined;
  const hash = contentHash(`${prefix}${name}`).slice(0, HASH_CHARS);
  return `${clean.slice(0, TOOL_NAME_CHARS_MAX - HASH_CHARS - 1)}_${hash}`;
}
