/**
 * Spreads calls over the ways to a model: by canary share, then priority, then weight. A function of the call's id, so a
 * call that is asked again goes the same way, whichever replica takes it.
 */
import type { Endpoint, ModelEntry } from './model.ts';

/** A number in [0, 1) that looks like chance (FNV-1a, finished as MurmurHash3 does). */
export function shareOf(...parts: string[]): number {
  let hash = 0x811c9dc5;
  for (const part of parts)
    for (let i = 0; i <= part.length; i++)
      hash = Math.imul(hash ^ (i < part.length ? part.charCodeAt(i) : 0x1f), 0x01000193);
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  hash ^= hash >>> 16;
  return (hash >>> 0) / 2 ** 32;
}

/** All endpoints, each once. `share`: the call's, in [0, 1). */
export function spreadEndpoints(entry: ModelEntry, share: number): { endpoint: Endpoint; note: string }[] {
  if (entry.endpoints.length === 1) return [{ endpoint: entry.endpoints[0]!, note: '' }];
  let from = 0;
  const canary = entry.endpoints.find(({ canaryPercent }) => {
    const mine = share >= from && share < from + (canaryPercent ?? 0) / 100;
    from += (canaryPercent ?? 0) / 100;
    return mine;
  });
  const rest = entry.endpoints.filter((endpoint) => endpoint !== canary);
  const priorities = [...new Set(rest.map(({ priority }) => priority))].sort((a, b) => a - b);
  // the part of the share that the canaries did not use up is a share of its own
  const left = canary || from >= 1 ? share : Math.max(0, share - from) / (1 - from);
  const groups = priorities.map((priority) => rest.filter((endpoint) => endpoint.priority === priority));
  // a canary has its percent and no part of the others' calls
  const ordered = groups.flatMap((group) =>
    byWeight(
      group.map((endpoint) => ({ endpoint, weight: endpoint.canaryPercent ? 0 : endpoint.weight })),
      left,
    ),
  );
  return [
    ...(canary ? [{ endpoint: canary, note: `canary (${canary.canaryPercent}%)` }] : []),
    ...ordered.map((endpoint) => ({ endpoint, note: `priority ${endpoint.priority}, weight ${endpoint.weight}` })),
  ];
}

/** Drawn without putting back, each time in proportion to the weights; those of weight 0 last. */
function byWeight(group: { endpoint: Endpoint; weight: number }[], share: number): Endpoint[] {
  const left = group.filter(({ weight }) => weight > 0);
  const last = group.filter(({ weight }) => weight <= 0);
  const drawn: Endpoint[] = [];
  let draw = share;
  while (left.length > 0) {
    const total = left.reduce((sum, { weight }) => sum + weight, 0);
    let index = 0;
    let from = 0;
    for (; index < left.length - 1; index++) {
      const until = from + left[index]!.weight;
      if (draw * total < until) break;
      from = until;
    }
    const [{ endpoint, weight }] = left.splice(index, 1) as [{ endpoint: Endpoint; weight: number }];
    drawn.push(endpoint);
    // where in its own stretch the draw fell is as good as a new one
    draw = Math.min(0.999_999, Math.max(0, (draw * total - from) / weight));
  }
  return [...drawn, ...last.map(({ endpoint }) => endpoint)];
}

/** All keys, beginning at one of them. */
export function spreadKeys(keys: readonly string[], share: number): readonly string[] {
  if (keys.length < 2) return keys;
  const first = Math.floor(share * keys.length);
  return [...keys.slice(first), ...keys.slice(0, first)];
}
