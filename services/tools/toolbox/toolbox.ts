/**
 * The tools of one bundle: its sources, what they offer, and what the bundle says beyond that. Invariants: a name means
 * one tool of one source, and a name that two sources claim means none; what the bundle says wins over the source.
 */
import { isDeepStrictEqual } from 'node:util';
import {
  type Bundle,
  contentHash,
  type EffectKind,
  fitsAny,
  isTaken,
  type JsonSchema,
  type Label,
  type PolicyAttributes,
  type Sums,
  type ToolFace,
  type ToolOverride,
  type ToolTrust,
  TuttiError,
  toErrorInfo,
  toolTrust,
  type WithheldTool,
} from '@tutti/contracts';
import { toolName } from '../core/text.ts';
import { descriptionLabel } from '../core/tool-labels.ts';
import type { SourceListing, SourceTool, ToolCallOptions, ToolResult, ToolSource } from '../ports/tool-source.ts';

/** After a failed listing the source is left alone for this long. */
const LIST_RETRY_MS = 1_000;

export interface Tool {
  /** As models and policies know it. */
  name: string;
  /** Name of the source in the bundle. */
  source: string;
  /** As its source knows it. */
  ownName: string;
  description: string;
  parameters: JsonSchema;
  returns: JsonSchema | undefined;
  effect: EffectKind;
  /** False where a server may say something else tomorrow: then even a pure call looks into the ledger first. */
  effectIsPinned: boolean;
  tags: string[];
  trust: ToolTrust;
  /** Of its name and description. */
  described: Label;
  sums: Sums | undefined;
  /** What the bundle's policy schema adds. */
  attributes: PolicyAttributes | undefined;
  timeoutMs: number;
  limits: { concurrentMax?: number | undefined; perMinuteMax?: number | undefined };
  /** Name, as models know it, of the tool that undoes this one. */
  undo: string | undefined;
  undoWith: Record<string, string> | undefined;
  /** How to ask whether a call happened, and the tool to ask with. */
  probe: { with: Tool; how: NonNullable<ToolOverride['probe']> } | undefined;
  /** What an approver is shown, and the tool that it is read with. */
  shows: { with: Tool; how: NonNullable<ToolOverride['shows']> } | undefined;
  /** Hash of `parameters`. */
  schemaHash: string;
  call(args: Record<string, unknown>, options: ToolCallOptions): Promise<ToolResult>;
}

export interface ToolsNow {
  tools: Map<string, Tool>;
  problems: string[];
}

export interface Toolbox {
  /** What there is now; the same object while that is the same. Sources that cannot be asked are in `problems`. */
  tools(signal: AbortSignal): Promise<ToolsNow>;
  /** Throws TuttiError `tool_unknown`, or `unavailable` when a source that may have it cannot be asked. */
  find(name: string, signal: AbortSignal): Promise<Tool>;
  /** Every source for itself. `fresh`: asked now. */
  view(fresh: boolean, signal: AbortSignal): Promise<SourceView[]>;
  /** The source of this name as it is; undefined: there is none. */
  source(name: string): ToolSource | undefined;
  /** Calls under way. */
  readonly active: number;
  close(): Promise<void>;
}

/** One source as people look at it. */
export interface SourceView {
  name: string;
  type: string;
  tools: Tool[];
  withheld: WithheldTool[];
  faces: ToolFace[];
  problems: string[];
}

export interface ToolboxOptions {
  createSource(name: string, manifest: Bundle['tools'][string]): ToolSource;
  callTimeoutMs: number;
  listTtlMs: number;
  listTimeoutMs: number;
}

/** What a source has to offer now. The same lists as long as nothing has changed, so that what is made of them is made once. */
interface Found {
  name: string;
  tools: Tool[];
  problems: string[];
  withheld: WithheldTool[];
  error: TuttiError | undefined;
}
/** What was made of a listing. */
interface Built {
  listing: SourceListing;
  tools: Tool[];
  problems: string[];
}
const NONE_WITHHELD: WithheldTool[] = [];
const NO_TOOLS: Tool[] = [];
const NO_PROBLEMS: string[] = [];

interface Listed {
  listing: SourceListing;
  /** Undefined: asked just now and it works. Otherwise why the listing may be old. */
  error: TuttiError | undefined;
}

export function createToolbox(bundle: Bundle, options: ToolboxOptions): Toolbox {
  let active = 0;
  const sources = Object.entries(bundle.tools)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, manifest]) => {
      const source = options.createSource(name, manifest);
      return { name, manifest, source, listed: lister(source, options) };
    });
  type Entry = (typeof sources)[number];
  const builtOf = new Map<string, Built>();

  async function toolsOf(entry: Entry, signal: AbortSignal): Promise<Found> {
    const { listing, error } = await entry.listed(signal);
    const last = builtOf.get(entry.name);
    const built = last?.listing === listing ? last : build(entry, listing);
    builtOf.set(entry.name, built);
    const { withheld = NONE_WITHHELD } = listing;
    return { name: entry.name, tools: built.tools, problems: built.problems, withheld, error };
  }

  function build(entry: Entry, listing: SourceListing): Built {
    const { manifest } = entry;
    const problems = [...listing.problems, ...unknownNames(manifest, listing)];
    const byOwnName = new Map<string, Tool>();
    for (const offered of listing.tools) {
      const name = toolName(manifest.prefix, offered.name);
      if (!name)
        problems.push(`"${offered.name}" is left out: there is nothing in its name that a tool's name may hold`);
      else byOwnName.set(offered.name, toolOf(name, entry, offered));
    }
    for (const [ownName, tool] of byOwnName) {
      const declared = manifest.tools[ownName]?.undo;
      const undo = typeof declared === 'object' ? declared.tool : declared;
      if (typeof declared === 'object') tool.undoWith = declared.arguments;
      tool.undo = undo && byOwnName.get(undo)?.name;
      if (undo && !tool.undo) problems.push(`"${undo}", which undoes "${ownName}", is no tool of this source`);
      const how = manifest.tools[ownName]?.probe;
      const probeWith = how && byOwnName.get(how.tool);
      if (how && !probeWith) problems.push(`the probe "${how.tool}" of "${ownName}" is no tool of this source`);
      else if (how && probeWith!.effect !== 'pure')
        problems.push(`the probe "${how.tool}" of "${ownName}" is not pure`);
      else if (how && probeWith) tool.probe = { with: probeWith, how };
      const show = manifest.tools[ownName]?.shows;
      const showWith = show && byOwnName.get(show.tool);
      if (show && showWith?.effect !== 'pure') {
        problems.push(`"${show.tool}", which shows what "${ownName}" is about, is no pure tool of this source`);
        // An approver who sees less than the bundle wants them to see must not be asked.
        byOwnName.delete(ownName);
      } else if (show && showWith) tool.shows = { with: showWith, how: show };
    }
    const allowed = [...byOwnName].filter(([ownName]) => isTaken(manifest, ownName));
    return { listing, tools: allowed.map(([, tool]) => tool), problems };
  }

  function toolOf(name: string, { name: sourceName, manifest, source }: Entry, offered: SourceTool): Tool {
    const override = Object.hasOwn(manifest.tools, offered.name) ? manifest.tools[offered.name] : undefined;
    const isInBundle = source.isStatic || override?.description !== undefined;
    return {
      name,
      source: sourceName,
      ownName: offered.name,
      description: override?.description ?? offered.description,
      parameters: offered.parameters,
      returns: offered.returns,
      effect: override?.effect ?? offered.effect,
      effectIsPinned: source.isStatic || override?.effect !== undefined,
      tags: override?.tags ?? [],
      trust: toolTrust(override?.labels, manifest.labels, offered.labels),
      described: descriptionLabel(isInBundle, manifest.labels),
      sums: override?.sums,
      attributes: override?.attributes,
      timeoutMs: override?.timeoutMs ?? options.callTimeoutMs,
      limits: override?.limits ?? {},
      undo: undefined,
      undoWith: undefined,
      probe: undefined,
      shows: undefined,
      schemaHash: contentHash(offered.parameters),
      async call(args, callOptions) {
        active += 1;
        try {
          return await source.call(offered.name, args, callOptions);
        } finally {
          active -= 1;
        }
      },
    };
  }

  function nameIn(source: string, ownName: string): string | undefined {
    return toolName(bundle.tools[source]?.prefix ?? '', ownName);
  }

  async function all(signal: AbortSignal): Promise<Found[]> {
    return Promise.all(
      sources.map(async (entry) => {
        try {
          return await toolsOf(entry, signal);
        } catch (error) {
          signal.throwIfAborted();
          const nothing = { tools: NO_TOOLS, problems: NO_PROBLEMS, withheld: NONE_WITHHELD };
          return { name: entry.name, ...nothing, error: asTuttiError(error) };
        }
      }),
    );
  }

  const toolsNow = remembering((found): ToolsNow => {
    // A listing that is only remembered stands for a source that cannot be asked now.
    const { tools, clashes } = merge(found.flatMap((entry) => (entry.error ? [] : entry.tools)));
    const problems = found.flatMap(({ name, problems, error }) =>
      [...(error ? [error.message] : []), ...problems].map((problem) => `${name}: ${problem}`),
    );
    return { tools, problems: [...problems, ...clashes] };
  });
  const toolsEver = remembering((found) => merge(found.flatMap((entry) => entry.tools)).tools);

  return {
    get active() {
      return active;
    },
    async tools(signal) {
      return toolsNow(await all(signal));
    },
    async find(name, signal) {
      const found = await all(signal);
      const tool = toolsEver(found).get(name);
      if (tool) return tool;
      const silent = found.find((entry) => entry.error && entry.tools.length === 0);
      if (silent?.error)
        throw new TuttiError(
          silent.error.code,
          `the tool "${name}" was not found, and the source "${silent.name}" cannot be asked: ${silent.error.message}`,
          {
            retryable: silent.error.retryable,
          },
        );
      const held = found.find((entry) => entry.withheld.some((one) => nameIn(entry.name, one.name) === name));
      if (held)
        throw new TuttiError(
          'tool_unknown',
          `the tool "${name}" is withheld: what its server says of it is not what was approved`,
        );
      throw new TuttiError('tool_unknown', `there is no tool "${name}" in this bundle`);
    },
    async view(fresh, signal) {
      if (fresh) for (const entry of sources) entry.listed.forget();
      const found = await all(signal);
      return sources.map(({ name, manifest }, i) => {
        const { tools, withheld, problems, error } = found[i]!;
        const faces = builtOf.get(name)?.listing.faces ?? [];
        const said = [...(error ? [error.message] : []), ...problems];
        return { name, type: manifest.type, tools, withheld, faces, problems: said };
      });
    },
    source: (name) => sources.find((entry) => entry.name === name)?.source,
    async close() {
      await Promise.all(sources.map(({ source }) => source.close()));
    },
  };
}

/** The same answer as before while the same was found. */
function remembering<T>(make: (found: Found[]) => T): (found: Found[]) => T {
  let last: { found: Found[]; made: T } | undefined;
  return (found) => {
    const same = last?.found.every((before, i) => before.tools === found[i]!.tools && before.error === found[i]!.error);
    if (!last || !same) last = { found, made: make(found) };
    return last.made;
  };
}

interface Lister {
  (signal: AbortSignal): Promise<Listed>;
  /** Ask again the next time. */
  forget(): void;
}

/** What a source offers, remembered for a while; the last listing stays when a newer one cannot be had. */
function lister(source: ToolSource, { listTtlMs, listTimeoutMs }: ToolboxOptions): Lister {
  let asking: Promise<Listed> | undefined;
  let last: (Listed & { at: number; changes: number }) | undefined;
  let failed: { error: TuttiError; at: number } | undefined;
  async function ask(): Promise<Listed> {
    const { changes = 0 } = source;
    try {
      const listing = await source.list(AbortSignal.timeout(listTimeoutMs));
      last = { listing: sameAs(last?.listing, listing), error: undefined, at: performance.now(), changes };
      failed = undefined;
    } catch (error) {
      failed = { error: asTuttiError(error), at: performance.now() };
    } finally {
      asking = undefined;
    }
    return answer();
  }
  function answer(): Listed {
    if (last) return { listing: last.listing, error: failed?.error };
    throw failed!.error;
  }
  const ttlMs = source.listTtlMs ?? listTtlMs;
  const listed = async (signal: AbortSignal) => {
    const now = performance.now();
    const isFresh = last && last.changes === (source.changes ?? 0) && (source.isStatic || now - last.at < ttlMs);
    if (isFresh && !failed) return answer();
    if (failed && now - failed.at < LIST_RETRY_MS) return answer();
    asking ??= ask();
    return withSignal(asking, signal);
  };
  return Object.assign(listed, {
    forget() {
      if (last) last.at = Number.NEGATIVE_INFINITY;
      failed = undefined;
    },
  });
}

/** The listing before, where nothing has changed: what was made of it holds. */
function sameAs(before: SourceListing | undefined, now: SourceListing): SourceListing {
  // A copy of the list: what a source does with its own later is not what was listed.
  return before && isDeepStrictEqual(before, now) ? before : { ...now, tools: [...now.tools] };
}

function withSignal<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

function merge(tools: Tool[]): { tools: Map<string, Tool>; clashes: string[] } {
  const byName = Map.groupBy(tools, (tool) => tool.name);
  const merged = new Map<string, Tool>();
  const clashes: string[] = [];
  for (const [name, same] of byName) {
    if (same.length === 1) merged.set(name, same[0]!);
    else
      clashes.push(
        `"${name}" is left out: ${same.map((tool) => tool.source).join(' and ')} both have it; give one a prefix`,
      );
  }
  return { tools: merged, clashes };
}

/** A misspelt override would silently lose its tags and its effect kind. */
function unknownNames(manifest: Bundle['tools'][string], listing: SourceListing): string[] {
  const names = new Set(listing.tools.map((tool) => tool.name));
  const has = (pattern: string) => names.has(pattern) || [...names].some((name) => fitsAny(name, [pattern]));
  // Of what is withheld there is a problem already.
  for (const { name } of listing.withheld ?? []) names.add(name);
  return [...Object.keys(manifest.tools), ...(manifest.allow ?? []), ...(manifest.deny ?? [])]
    .filter((name, index, list) => !has(name) && list.indexOf(name) === index)
    .map((name) => `the bundle speaks of "${name}", which the source does not have`);
}

function asTuttiError(error: unknown): TuttiError {
  return error instanceof TuttiError
    ? error
    : TuttiError.from({ ...toErrorInfo(error), code: 'unavailable', retryable: true });
}
