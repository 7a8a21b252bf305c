/**
 * A tool source that is an MCP server. Invariant: a tool is listed and called only while its server describes it as it was
 * approved, or as it did first (pins.ts).
 */
import type { Client, OAuthClientProvider, Tool } from '@modelcontextprotocol/client';
import { type EffectKind, type ToolFace, TuttiError } from '@tutti/contracts';
import type { Placeholders } from '../../core/placeholders.ts';
import type { PinStore } from '../../ports/pin-store.ts';
import {
  type SourceListing,
  type SourceTool,
  ToolCallError,
  type ToolCallOptions,
  type ToolSource,
} from '../../ports/tool-source.ts';
import type { Outbound } from '../outbound/outbound.ts';
import { createConnection, reasonOf } from './connection.ts';
import { extraTools } from './extras.ts';
import { faceOf, pinsOf, sayWithheld, sortByPins } from './pins.ts';
import { readFailure, readResult } from './result.ts';
import { createTransports, type McpManifest } from './transport.ts';

/** In `_meta` of a call that is not pure, for servers that look for it. */
export const IDEMPOTENCY_META = 'tutti/idempotency-key';
const TOOLS_MAX = 1_000;

export interface McpOptions {
  manifest: McpManifest;
  placeholders: Placeholders;
  outbound: Outbound;
  connectTimeoutMs: number;
  idleMs: number;
  /** Where what was offered first is kept, and under which key. Without: nothing is pinned but by the manifest. */
  pins?: { store: PinStore; key: string } | undefined;
  /** A person who logs in, where the server wants one. */
  login?: { provider: OAuthClientProvider; finish(): Promise<URLSearchParams> } | undefined;
}

export function createMcpSource(options: McpOptions): ToolSource {
  const { manifest, placeholders, outbound, connectTimeoutMs, idleMs, login } = options;
  const state = { changes: 0 };
  const changed = () => {
    state.changes += 1;
  };
  const connection = createConnection({
    transports: createTransports({ manifest, placeholders, outbound, authProvider: login?.provider }),
    connectTimeoutMs,
    idleMs,
    onChanged: changed,
    login: login?.finish,
  });
  const extras = extraTools(manifest, placeholders);
  const pinning = manifest.pins || manifest.pinning === 'off' ? undefined : options.pins;
  const watch = pinning?.store.watch(pinning.key, changed);
  /** As listed, for header mirroring; without output schemas, see callTool. */
  let known = new Map<string, Tool>();

  async function list(signal: AbortSignal): Promise<SourceListing> {
    const { tools } = await connection.use((client) =>
      client.listTools(undefined, { signal, timeout: connectTimeoutMs, cacheMode: 'refresh' }),
    );
    const taken = tools.slice(0, TOOLS_MAX).filter((tool) => !extras.has(tool.name));
    const faces = taken.map(faceOf);
    const pins = manifest.pins ?? (pinning ? await pinning.store.firstUse(pinning.key, firstPins(faces)) : undefined);
    const sorted = pins ? sortByPins(faces, pins) : { trusted: faces, withheld: [], gone: [] };
    const trusted = new Set(sorted.trusted.map((face) => face.name));
    known = new Map(tools.map(({ outputSchema: _output, ...tool }) => [tool.name, tool]));
    return {
      tools: [
        ...[...extras.values()].map((extra) => extra.tool),
        ...taken.filter((tool) => trusted.has(tool.name)).map(toolOf),
      ],
      withheld: sorted.withheld,
      faces,
      problems: [
        ...sorted.withheld.map(sayWithheld),
        ...sorted.gone.map((name) => `"${name}" is pinned, and its server does not have it`),
        ...(tools.length > TOOLS_MAX
          ? [`${tools.length - TOOLS_MAX} tools are left out: at most ${TOOLS_MAX} are taken`]
          : []),
      ],
    };
  }

  return {
    isStatic: false,
    get changes() {
      return state.changes;
    },
    async list(signal) {
      try {
        return await list(signal);
      } catch (error) {
        if (error instanceof TuttiError) throw error;
        const message = error instanceof ToolCallError ? error.message : `tools/list failed (${reasonOf(error)})`;
        throw new TuttiError('unavailable', placeholders.redact(message));
      }
    },
    async call(name, args, callOptions) {
      try {
        return await connection.use(async (client) => {
          const extra = extras.get(name);
          if (extra) return extra.call(client, args, callOptions);
          const { onProgress } = callOptions;
          const told = onProgress && ((text: string) => onProgress(placeholders.redact(text)));
          const answer = await callTool(client, known.get(name), name, args, { ...callOptions, onProgress: told });
          return readResult(answer, placeholders);
        });
      } catch (error) {
        return readFailure(error, callOptions, placeholders);
      }
    },
    ...(pinning ? { approve: (faces: ToolFace[], by: string, at: number) => approve(pinning, faces, by, at) } : {}),
    async close() {
      watch?.stop();
      await connection.close();
      await outbound.close();
    },
  };
}

function firstPins(faces: ToolFace[]) {
  return Object.fromEntries(Object.entries(pinsOf(faces)).map(([name, pin]) => [name, { ...pin, by: 'first-use' }]));
}

async function approve(
  { store, key }: NonNullable<McpOptions['pins']>,
  faces: ToolFace[],
  by: string,
  at: number,
): Promise<void> {
  const pins = Object.entries(pinsOf(faces)).map(([name, pin]) => [name, { ...pin, by, at }] as const);
  await store.approve(key, Object.fromEntries(pins));
}

/**
 * The definition that is passed has no output schema: the client would check the result against it *after* the tool ran,
 * and report what does not fit as if the server had refused the call.
 */
function callTool(
  client: Client,
  tool: Tool | undefined,
  name: string,
  args: Record<string, unknown>,
  { idempotencyKey, signal, timeoutMs, onProgress }: ToolCallOptions,
) {
  return client.callTool(
    { name, arguments: args, ...(idempotencyKey ? { _meta: { [IDEMPOTENCY_META]: idempotencyKey } } : {}) },
    {
      signal,
      timeout: timeoutMs,
      maxTotalTimeout: timeoutMs,
      ...(onProgress ? { onprogress: ({ message, progress }) => onProgress(message ?? String(progress)) } : {}),
      toolDefinition: tool ?? { name, inputSchema: { type: 'object' } },
    },
  );
}

function toolOf(tool: Tool): SourceTool {
  return {
    name: tool.name,
    description: tool.description ?? tool.title ?? tool.annotations?.title ?? '',
    parameters: tool.inputSchema as SourceTool['parameters'],
    returns: tool.outputSchema as SourceTool['returns'],
    effect: effectOf(tool),
  };
}

/** What a server says of itself; a bundle that does not trust it overrides this. */
function effectOf({ annotations }: Tool): EffectKind {
  if (annotations?.readOnlyHint) return 'pure';
  return annotations?.idempotentHint ? 'keyed' : 'irreversible';
}
