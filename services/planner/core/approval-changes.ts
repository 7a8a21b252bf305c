/** What has changed between a call that humans approved and the same call as it would be made now, in words. Pure. */
import { type ApprovalRecord, canonicalJson } from '@tutti/contracts';

const VALUE_CHARS_MAX = 200;
const CHANGES_MAX = 20;

type Asked = Pick<ApprovalRecord, 'arguments' | 'basis' | 'shown' | 'quorum' | 'policy'>;

export function changesBetween(before: Asked, now: Asked): string[] {
  const changes = [
    ...differences('', before.arguments, now.arguments),
    ...(before.basis?.schema === now.basis?.schema ? [] : ['the parameters of the tool are others']),
    ...(before.basis?.policies === now.basis?.policies ? [] : ['the policies are others']),
    ...(before.basis?.data === now.basis?.data ? [] : differences('shown', asData(before.shown), asData(now.shown))),
    ...((before.quorum ?? 1) >= (now.quorum ?? 1)
      ? []
      : [`${now.quorum} have to approve, no longer ${before.quorum ?? 1}`]),
  ];
  return changes.length <= CHANGES_MAX
    ? changes
    : [...changes.slice(0, CHANGES_MAX), `and ${changes.length - CHANGES_MAX} more`];
}

/** One line for each value that is another one: `price.amount: 120 → 180`. */
function differences(path: string, before: unknown, now: unknown): string[] {
  if (canonicalJson(before ?? null) === canonicalJson(now ?? null)) return [];
  if (!isPlain(before) || !isPlain(now)) return [`${path || 'arguments'}: ${shortly(before)} → ${shortly(now)}`];
  const names = [...new Set([...Object.keys(before), ...Object.keys(now)])].sort();
  return names.flatMap((name) => differences(path ? `${path}.${name}` : name, before[name], now[name]));
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

function asData(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function shortly(value: unknown): string {
  const text = value === undefined ? 'nothing' : JSON.stringify(value);
  return text.length <= VALUE_CHARS_MAX ? text : `${text.slice(0, VALUE_CHARS_MAX)}…`;
}
