/** What a model should know of an operation that gives its results page by page. Pure. */
import type { JsonSchema } from '@tutti/contracts';

const NEXT =
  /^(page|page_?number|cursor|offset|skip|after|before|starting_after|ending_before|start(_at|_index)?|since_id|(next_?|page_?|continuation_?)(token|cursor|key)|continue)$/i;
const SIZE = /^(limit|per_?page|page_?size|max_?results|count|first|top|take|size)$/i;

/** A sentence for the description; undefined: nothing speaks of pages. */
export function pagingHint(parameters: JsonSchema): string | undefined {
  const names = Object.keys((parameters.properties ?? {}) as object).map((name) => name.replace(/^query_/, ''));
  const next = names.filter((name) => NEXT.test(name));
  if (next.length === 0) return undefined;
  const size = names.filter((name) => SIZE.test(name));
  const more = `(Results come in pages: ask for the next with ${list(next)}`;
  return size.length > 0 ? `${more}, and how many at once with ${list(size)}.)` : `${more}.)`;
}

function list(names: string[]): string {
  return names.map((name) => `\`${name}\``).join(' or ');
}
