/**
 * What a run has done so far, in numbers that policies can ask for. The planner's core counts, and sends the sums along
 * with every call. Bounded: names beyond the limits are counted together under `…`.
 */
import { z } from 'zod';
import type { EffectKind } from './chat.ts';

export const HISTORY_LIMITS = { toolsMax: 128, collectionsMax: 64, sumsMax: 16 } as const;
/** Under which tools beyond the limit are counted. */
export const OTHER_TOOLS = '…';

const count = z.number().int().nonnegative().default(0);
export const History = z.object({
  /** Calls of tools that were made or are under way. What a policy, a human or a wrong argument kept from being made is none. */
  calls: count,
  /** Those of them that were not pure. */
  effects: count,
  /** Calls by the tool's name. */
  tools: z.record(z.string(), z.number().int().nonnegative()).default({}),
  /** Collections that something was found in. */
  collections: z.array(z.string()).default([]),
  /** What the bundle has summed up (`sums` of a tool), by name. */
  sums: z.record(z.string(), z.number().nonnegative()).default({}),
});
export type History = z.infer<typeof History>;

export const NOTHING_DONE: History = Object.freeze({
  calls: 0,
  effects: 0,
  tools: Object.freeze({}) as Record<string, number>,
  collections: Object.freeze([]) as unknown as string[],
  sums: Object.freeze({}) as Record<string, number>,
});

/** What led to a call: of the run itself and all above it, and of the conversation that it belongs to (the run included). */
export const CallHistory = z.object({ run: History, session: History });
export type CallHistory = z.infer<typeof CallHistory>;

/** In a manifest: a sum's name → where its summand is among the arguments, as `$arguments.<name>[.<name>…]`. */
export const Sums = z
  .record(
    z.string().regex(/^[a-zA-Z_][a-zA-Z0-9_]{0,62}$/, 'must be a name of letters, digits and "_"'),
    z.string().regex(/^\$arguments(\.[^.]+)+$/, 'must be $arguments.<name>'),
  )
  .refine((sums) => Object.keys(sums).length <= HISTORY_LIMITS.sumsMax, {
    message: `may name ${HISTORY_LIMITS.sumsMax} sums at most`,
  });
export type Sums = z.infer<typeof Sums>;

/** What is to be counted. `effect` undefined: nothing is known of the tool, so it is taken for one with an effect. */
export interface CountedCall {
  tool: string;
  effect: EffectKind | undefined;
  summands: Record<string, number> | undefined;
}

export function withCall(before: History, { tool, effect, summands = {} }: CountedCall): History {
  const name = countedAs(before.tools, tool);
  return {
    calls: before.calls + 1,
    effects: before.effects + (effect === 'pure' ? 0 : 1),
    tools: { ...before.tools, [name]: of(before.tools, name) + 1 },
    collections: before.collections,
    sums: added(before.sums, summands, 1),
  };
}

/** Takes back what `withCall` counted: nothing came of the call. */
export function withoutCall(after: History, { tool, effect, summands = {} }: CountedCall): History {
  const name = Object.hasOwn(after.tools, tool) ? tool : OTHER_TOOLS;
  const left = of(after.tools, name) - 1;
  const { [name]: _gone, ...others } = after.tools;
  return {
    calls: Math.max(0, after.calls - 1),
    effects: Math.max(0, after.effects - (effect === 'pure' ? 0 : 1)),
    tools: left > 0 ? { ...others, [name]: left } : others,
    collections: after.collections,
    sums: added(after.sums, summands, -1),
  };
}

export function withCollections(before: History, names: Iterable<string>): History {
  const collections = new Set(before.collections);
  for (const name of names) if (collections.size < HISTORY_LIMITS.collectionsMax) collections.add(name);
  return collections.size === before.collections.length ? before : { ...before, collections: [...collections] };
}

/** Both together. One of them itself where the other has nothing. */
export function mergeHistories(a: History, b: History): History {
  if (isNothing(b)) return a;
  if (isNothing(a)) return b;
  const tools = { ...a.tools };
  for (const [tool, times] of Object.entries(b.tools)) {
    const name = countedAs(tools, tool);
    tools[name] = of(tools, name) + times;
  }
  return withCollections(
    {
      calls: a.calls + b.calls,
      effects: a.effects + b.effects,
      tools,
      collections: a.collections,
      sums: added(a.sums, b.sums, 1),
    },
    b.collections,
  );
}

/** The larger of both in everything: of two lower bounds the better one. */
export function atLeast(a: History, b: History): History {
  if (isNothing(b)) return a;
  if (isNothing(a)) return b;
  const larger = (x: Record<string, number>, y: Record<string, number>) => {
    const all = { ...x };
    for (const [name, value] of Object.entries(y)) all[name] = Math.max(of(all, name), value);
    return all;
  };
  return withCollections(
    {
      calls: Math.max(a.calls, b.calls),
      effects: Math.max(a.effects, b.effects),
      tools: larger(a.tools, b.tools),
      collections: a.collections,
      sums: larger(a.sums, b.sums),
    },
    b.collections,
  );
}

/** A tool may be called `constructor`. */
function of(record: Record<string, number>, name: string): number {
  return Object.hasOwn(record, name) ? record[name]! : 0;
}

export function isNothing(history: History): boolean {
  return history.calls === 0 && history.collections.length === 0;
}

function countedAs(tools: Record<string, number>, tool: string): string {
  if (tool === '__proto__') return OTHER_TOOLS;
  return Object.hasOwn(tools, tool) || roomFor(tools) ? tool : OTHER_TOOLS;
}

function roomFor(tools: Record<string, number>): boolean {
  let size = 0;
  for (const _name in tools) size++;
  return size < HISTORY_LIMITS.toolsMax;
}

/** What a call adds to each sum. Only what is positive counts: nobody brings a sum down again by a negative amount. */
export function summandsOf(sums: Sums | undefined, args: Record<string, unknown>): Record<string, number> {
  if (!sums) return {};
  const found: Record<string, number> = {};
  for (const [name, path] of Object.entries(sums)) {
    const amount = amountAt(args, path.split('.').slice(1));
    if (amount > 0) found[name] = amount;
  }
  return found;
}

function amountAt(args: unknown, path: string[]): number {
  let at = args;
  for (const key of path) {
    if (at === null || typeof at !== 'object' || !Object.hasOwn(at, key)) return 0;
    at = (at as Record<string, unknown>)[key];
  }
  const amount = typeof at === 'string' && at.trim() !== '' ? Number(at) : at;
  return typeof amount === 'number' && Number.isFinite(amount) ? amount : 0;
}

export function added(
  sums: Record<string, number>,
  more: Record<string, number>,
  sign: 1 | -1,
): Record<string, number> {
  let all = sums;
  for (const [name, amount] of Object.entries(more)) {
    if (all === sums) all = { ...sums };
    all[name] = Math.min(Math.max(0, of(all, name) + sign * amount), Number.MAX_SAFE_INTEGER);
  }
  return all;
}
