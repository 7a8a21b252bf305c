/**
 * The tools of one bundle: its sources, what they offer, and what the bundle says beyond that. Invariants: a name means
 * one tool of one source, and a name that two sources claim means none; what the bundle says wins over the source.
 */
import {
  type Bundle,
  contentHash,
  type EffectKind,
  type JsonSchema,
  type Label,
  type PolicyAttributes,
  type Sums,
  type ToolOverride,
  type ToolTrust,
  TuttiError,
  toErrorInfo,
  toolTrust,
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
  /** Calls under way. */
  readonly active: number;
  close(): Promise<void>;
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
  error: TuttiError | undefined;
}
/** What was made of a listing. */
interface Built {
  listing: SourceListing;
  tools: Tool[];
  problems: string[];
}
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
    return { name: entry.name, tools: built.tools, problems: built.problems, error };
  }

  function build(entry: Entry, listing: SourceListing): Built {
    const { manifest } = entry;
    const problems = [...listing.problems, ...unknownNames(manifest, listing)];
    const byOwnName = new Map<string, Tool>();
    for (const offered of listing.tools) {
      const name = toolName(manifest.prefix, offered.name);
      if (!name) problems.push(`"${offered.name}" is left out: its name is longer than a tool's may be`);
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
    const allowed = [...byOwnName].filter(([ownName]) => manifest.allow?.includes(ownName) ?? true);
    return { listing, tools: allowed.map(([, tool]) => tool), problems };
  }

  function toolOf(name: string, { name: sourceName, manifest, source }: Entry, offered: SourceTool): Tool {
    const override = Object.hasOwn(manifest.tools, offered.name) ? manifest.tools[offered.name] : undefined;
    const isInBundle = source.isStatic || override?.description !== undefined;
    return {
      name,
      source: sourceName,
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

  async function all(signal: AbortSignal): Promise<Found[]> {
    return Promise.all(
      sources.map(async (entry) => {
        try {
          return await toolsOf(entry, signal);
        } catch (error) {
          signal.throwIfAborted();
          return { name: entry.name, tools: NO_TOOLS, problems: NO_PROBLEMS, error: asTuttiError(error) };
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
      throw new TuttiError('tool_unknown', `there is no tool "${name}" in this bundle`);
    },
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

/** What a source offers, remembered for a while; the last listing stays when a newer one cannot be had. */
function lister(
  source: ToolSource,
  { listTtlMs, listTimeoutMs }: ToolboxOptions,
): (signal: AbortSignal) => Promise<Listed> {
  let asking: Promise<Listed> | undefined;
  let last: (Listed & { at: number }) | undefined;
  let failed: { error: TuttiError; at: number } | undefined;
  async function ask(): Promise<Listed> {
    try {
      const listing = await source.list(AbortSignal.timeout(listTimeoutMs));
      last = { listing, error: undefined, at: performance.now() };
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
  return async (signal) => {
    const now = performance.now();
    if (last && !failed && (source.isStatic || now - last.at < listTtlMs)) return answer();
    if (failed && now - failed.at < LIST_RETRY_MS) return answer();
    asking ??= ask();
    return withSignal(asking, signal);
  };
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
  return [...Object.keys(manifest.tools), ...(manifest.allow ?? [])]
    .filter((name, index, list) => !names.has(name) && list.indexOf(name) === index)
    .map((name) => `the bundle speaks of "${name}", which the source does not have`);
}

function asTuttiError(error: unknown): TuttiError {
  return error instanceof TuttiError
    ? error
    : TuttiError.from({ ...toErrorInfo(error), code: 'unavailable', retryable: true });
}
