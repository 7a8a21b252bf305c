/** Text of results and names of tools: cut and cleaned with no loss that goes unsaid. */
import { contentHash } from '@tutti/contracts';

const NOTE_CHARS = 120;
/** Of an excerpt: most answers say at their beginning what they are about. */
const HEAD_SHARE = 0.75;
export const TOOL_NAME_CHARS_MAX = 64;
const HASH_CHARS = 8;

/** At most `charsMax` characters; what is missing is said at the end. */
export function cutResult(content: string, charsMax: number): string {
  if (content.length <= charsMax) return content;
  const kept = content.slice(0, charsMax - NOTE_CHARS).replace(/[\ud800-\udbff]$/, '');
  return `${kept}\n[Cut: ${content.length - kept.length} of ${content.length} characters are missing. Ask for less at once.]`;
}

const ASK_FOR_LESS = () => 'Ask for less at once to see more.';

/**
 * The beginning and the end of what is kept in full elsewhere, at most `charsMax` characters; what is left out is said, and
 * `how` more of it is had from an offset on.
 */
export function excerptOf(content: string, charsMax: number, how: (offset: number) => string = ASK_FOR_LESS): string {
  const kept = Math.max(0, charsMax - NOTE_CHARS - how(content.length).length);
  const head = content.slice(0, Math.ceil(kept * HEAD_SHARE)).replace(/[\ud800-\udbff]$/, '');
  const tail = kept - head.length > 0 ? content.slice(head.length - kept).replace(/^[\udc00-\udfff]/, '') : '';
  const missing = content.length - head.length - tail.length;
  return `${head}\n[${missing} of ${content.length} characters are left out here. ${how(head.length)}]\n${tail}`;
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
