/**
 * Which result fed which call: the row of a search that was taken, the hold behind a booking. Owns that reading by equal
 * values; the answer tells a chain by its last link.
 */
import { mainList, type Observation } from './results.ts';
import { isObject } from './schema.ts';

const DEPTH_MAX = 6;
const LINKS_MAX = 12;
const HANDLE = /id$|^(?:sku|code|key|number|slug|email|name|reference|symbol)$/i;

export const flatValues = (value: unknown, depth = 0): unknown[] =>
  typeof value !== 'object' || value === null
    ? [value]
    : depth > DEPTH_MAX
      ? []
      : Object.values(value).flatMap((one) => flatValues(one, depth + 1));

/** Whether `later` was called with something that `earlier` found out. */
export function feeds(earlier: Observation, later: Observation): boolean {
  const given = new Set(flatValues(later.arguments).map(String));
  const own = new Set(flatValues(earlier.arguments).map(String));
  return flatValues(earlier.data).some(
    (value) => typeof value === 'string' && value.length > 1 && given.has(value) && !own.has(value),
  );
}

/** Whether `later` was called with this row's id, e-mail, number … */
export function identifies(row: Record<string, unknown>, later: Observation): boolean {
  const ids = Object.entries(row)
    .filter(([key, value]) => (typeof value === 'string' || typeof value === 'number') && HANDLE.test(key))
    .map(([, value]) => String(value));
  const given = flatValues(later.arguments).map(String);
  return ids.some((id) => id.length > 0 && given.includes(id));
}

export interface Link {
  readonly observation: Observation;
  /** The record that was taken from it. */
  readonly row: Record<string, unknown>;
}

/** Everything that a call rests on, nearest first; of several results that could have fed it, the latest. */
export function linksOf(all: readonly Observation[], one: Observation): Link[] {
  const links: Link[] = [];
  const open = [one];
  const latestFirst = [...all].filter((each) => !each.isError).sort((left, right) => right.index - left.index);
  while (open.length > 0 && links.length < LINKS_MAX) {
    const later = open.shift()!;
    for (const earlier of latestFirst) {
      const known = links.some((link) => link.observation === earlier || link.observation.tool === earlier.tool);
      const row = known || earlier.index >= later.index ? undefined : rowFor(earlier, later);
      if (!row) continue;
      links.push({ observation: earlier, row });
      open.push(earlier);
    }
  }
  return links;
}

function rowFor(earlier: Observation, later: Observation): Record<string, unknown> | undefined {
  const rows = mainList(earlier.data)?.filter(isObject);
  if (rows && rows.length > 0) return rows.find((each) => identifies(each, later));
  return feeds(earlier, later) && isObject(earlier.data) ? earlier.data : undefined;
}
