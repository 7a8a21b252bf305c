/** The pure half of asking another tool about a call: its arguments from those of the call, and what its answer says. */
import type { ToolOverride } from '@tutti/contracts';

export type Probe = NonNullable<ToolOverride['probe']>;
const KEY = '$idempotencyKey';
const ARGUMENT = '$arguments.';

/** Arguments of the probe, or undefined when one of them has no value in this call. */
export function probeArguments(
  probe: Pick<Probe, 'arguments'>,
  call: { idempotencyKey: string; arguments: Record<string, unknown> },
): Record<string, unknown> | undefined {
  const entries: [string, unknown][] = [];
  for (const [name, from] of Object.entries(probe.arguments)) {
    const value =
      from === KEY
        ? call.idempotencyKey
        : from.startsWith(ARGUMENT)
          ? at(call.arguments, from.slice(ARGUMENT.length))
          : from;
    if (value === undefined) return undefined;
    entries.push([name, value]);
  }
  return Object.fromEntries(entries);
}

/** What was found at `foundAt`, or undefined: not there, or empty (null, false, 0, "", [], {}). */
export function foundIn(probe: Probe, data: unknown): unknown {
  const value = partOf(data, probe.foundAt);
  return isEmpty(value) ? undefined : value;
}

/** `path`: `$` for all of it, or names joined by dots. */
export function partOf(data: unknown, path: string): unknown {
  return path === '$' ? data : at(data, path.replace(/^\$\./, ''));
}

function at(data: unknown, path: string): unknown {
  let value = data;
  for (const key of path.split('.')) {
    if (value === null || typeof value !== 'object' || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<string, unknown>)[key];
  }
  return value;
}

function isEmpty(value: unknown): boolean {
  if (!value) return true;
  if (typeof value !== 'object') return false;
  return Array.isArray(value) ? value.length === 0 : Object.keys(value).length === 0;
}
