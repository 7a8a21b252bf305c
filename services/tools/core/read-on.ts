/** Parts of a long text: from a place on, or around what is looked for. Places are counted in UTF-16 units. Pure. */

export interface Page {
  from: number;
  to: number;
  text: string;
}

/** At most `limit` units from `offset` on; no character is cut in two. */
export function pageOf(content: string, offset: number, limit: number): Page {
  const from = Math.min(offset, content.length) + (isLow(content, offset) ? 1 : 0);
  let to = Math.min(from + limit, content.length);
  if (to < content.length && isLow(content, to)) to = to - 1 > from ? to - 1 : to + 1;
  return { from, to, text: content.slice(from, to) };
}

/** The second half of a character. */
function isLow(content: string, at: number): boolean {
  const unit = content.charCodeAt(at);
  return unit >= 0xdc00 && unit <= 0xdfff;
}

export interface Found {
  at: number;
  around: Page;
}

/** Where `needle` stands from `offset` on, whatever its case, each with `context` units on both sides. */
export function search(
  content: string,
  needle: string,
  { offset, context, countMax }: { offset: number; context: number; countMax: number },
): { found: Found[]; next: number | undefined } {
  const pattern = new RegExp(needle.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&'), 'giu');
  pattern.lastIndex = pageOf(content, offset, 0).from;
  const found: Found[] = [];
  for (let match = pattern.exec(content); match; match = pattern.exec(content)) {
    if (found.length === countMax) return { found, next: match.index };
    const from = Math.max(0, match.index - context);
    found.push({ at: match.index, around: pageOf(content, from, match.index - from + match[0].length + context) });
  }
  return { found, next: undefined };
}
