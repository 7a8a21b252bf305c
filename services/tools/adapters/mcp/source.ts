/**
 * A tool source that is an MCP server: a child process over stdio, or Streamable HTTP. Connects on first use, again after
 * the connection was lost, and closes what nobody used for a while. Both protocol eras (2026-07-28 and `initialize`).
 */
import {
  type CallToolResult,
  Client,
  ProtocolError,
  SdkError,
  SdkErrorCode,
  SdkHttpError,
  StreamableHTTPClientTransport,
  type Tool,
} from '@modelcontextprotocol/client';
import { getDefaultEnvironment, StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { type EffectKind, type ToolSource as Manifest, TuttiError } from '@tutti/contracts';
import type { Placeholders } from '../../core/placeholders.ts';
import {
  type SourceTool,
  ToolCallError,
  type ToolCallOptions,
  type ToolResult,
  type ToolSource,
} from '../../ports/tool-source.ts';

/** In `_meta` of a call that is not pure, for servers that look for it. */
export const IDEMPOTENCY_META = 'tutti/idempotency-key';
/** JSON-RPC: parse error, invalid request, unknown method, invalid params: refused before anything ran. */
const REFUSED_CODES = [-32700, -32600, -32601, -32602];
const NOT_SENT_CODES: string[] = [SdkErrorCode.NotConnected, SdkErrorCode.CapabilityNotSupported];
const TOOLS_MAX = 1_000;

export interface McpOptions {
  manifest: Extract<Manifest, { type: 'mcp' }>;
  placeholders: Placeholders;
  connectTimeoutMs: number;
  idleMs: number;
}

interface Connection {
  client: Client;
  open: boolean;
}

export function createMcpSource({ manifest, placeholders, connectTimeoutMs, idleMs }: McpOptions): ToolSource {
  let connecting: Promise<Connection> | undefined;
  let active = 0;
  let idleTimer: NodeJS.Timeout | undefined;
  let closed = false;
  /** As listed, for header mirroring; without output schemas, see callTool. */
  let known = new Map<string, Tool>();

  async function connect(): Promise<Connection> {
    const client = new Client(
      { name: 'tutti', version: '0.1.0' },
      // Fulfilling requests for input would send the call a second time.
      { versionNegotiation: { mode: 'auto' }, inputRequired: { autoFulfill: false } },
    );
    const connection: Connection = { client, open: true };
    client.onclose = () => {
      connection.open = false;
    };
    // Errors that belong to a request reject it; the rest shows as a closed connection.
    client.onerror = () => {};
    const transport = transportOf(manifest, placeholders);
    try {
      await client.connect(transport, { timeout: connectTimeoutMs });
      return connection;
    } catch (error) {
      await client.close().catch(() => {});
      await transport.close().catch(() => {});
      throw new ToolCallError('no', `cannot connect to the MCP server (${codeOf(error)})`);
    }
  }

  async function connected(): Promise<Connection> {
    if (closed) throw new ToolCallError('no', 'the tool source was closed');
    const before = connecting;
    if (before) {
      const connection = await before.catch(() => undefined);
      if (connection?.open) return connection;
      if (connecting === before) connecting = undefined;
    }
    connecting ??= connect();
    return connecting;
  }

  async function use<T>(work: (client: Client) => Promise<T>): Promise<T> {
    active += 1;
    clearTimeout(idleTimer);
    try {
      const connection = await connected();
      try {
        return await work(connection.client);
      } catch (error) {
        // The server does not know our session (any more): the next use opens another.
        if (httpStatusOf(error) !== undefined) connection.open = false;
        throw error;
      }
    } finally {
      active -= 1;
      if (active === 0 && !closed) {
        idleTimer = setTimeout(() => void disconnect(), idleMs);
        idleTimer.unref();
      }
    }
  }

  async function disconnect(): Promise<void> {
    const last = connecting;
    connecting = undefined;
    clearTimeout(idleTimer);
    const connection = await last?.catch(() => undefined);
    await connection?.client.close().catch(() => {});
  }

  return {
    isStatic: false,
    async list(signal) {
      try {
        const { tools } = await use((client) =>
          client.listTools(undefined, { signal, timeout: connectTimeoutMs, cacheMode: 'refresh' }),
        );
        known = new Map(tools.map(({ outputSchema: _output, ...tool }) => [tool.name, tool]));
        const left = tools.length - TOOLS_MAX;
        return {
          tools: tools.slice(0, TOOLS_MAX).map(toolOf),
          problems: left > 0 ? [`${left} tools are left out: at most ${TOOLS_MAX} are taken`] : [],
        };
      } catch (error) {
        if (error instanceof TuttiError) throw error;
        const message = error instanceof ToolCallError ? error.message : `tools/list failed (${codeOf(error)})`;
        throw new TuttiError('unavailable', placeholders.redact(message));
      }
    },
    async call(name, args, options) {
      try {
        return await use(async (client) =>
          readResult(await callTool(client, known.get(name), name, args, options), placeholders),
        );
      } catch (error) {
        return failure(error, options, placeholders);
      }
    },
    async close() {
      closed = true;
      await disconnect();
    },
  };
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
  options: ToolCallOptions,
): Promise<CallToolResult> {
  const { idempotencyKey, signal, timeoutMs } = options;
  return client.callTool(
    { name, arguments: args, ...(idempotencyKey ? { _meta: { [IDEMPOTENCY_META]: idempotencyKey } } : {}) },
    {
      signal,
      timeout: timeoutMs,
      maxTotalTimeout: timeoutMs,
      toolDefinition: tool ?? { name, inputSchema: { type: 'object' } },
    },
  );
}

function transportOf({ transport }: McpOptions['manifest'], placeholders: Placeholders) {
  if (transport.type === 'http') {
    const url = placeholders.fillAddress(transport.url);
    if (!URL.canParse(url)) throw new TuttiError('bundle_invalid', 'the URL of the MCP server is no absolute URL');
    return new StreamableHTTPClientTransport(new URL(url), {
      requestInit: { headers: filled(transport.headers, placeholders), redirect: 'error' },
    });
  }
  const command = placeholders.fill(transport.command);
  return new StdioClientTransport({
    // `node` is the Node that runs this: the one on PATH may be too old for type stripping.
    command: command === 'node' ? process.execPath : command,
    args: transport.args.map((argument) => placeholders.fill(argument)),
    env: { ...getDefaultEnvironment(), ...filled(transport.env, placeholders) },
    stderr: 'ignore',
  });
}

function filled(values: Record<string, string>, placeholders: Placeholders): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, placeholders.fill(value)]));
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

function readResult(result: CallToolResult, placeholders: Placeholders): ToolResult {
  const isError = result.isError === true;
  if (result.structuredContent !== undefined && !isError) {
    const content = placeholders.redact(JSON.stringify(result.structuredContent));
    return { content, isError, data: JSON.parse(content) };
  }
  const content = placeholders.redact(result.content.map(textOf).join('\n'));
  return { content, isError, data: isError ? undefined : jsonIn(content) };
}

function textOf(part: CallToolResult['content'][number]): string {
  if (part.type === 'text') return part.text;
  if (part.type === 'resource' && 'text' in part.resource) return part.resource.text;
  if (part.type === 'resource_link') return part.uri;
  return `[${part.type} left out]`;
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function failure(error: unknown, { signal, timeoutMs }: ToolCallOptions, placeholders: Placeholders): ToolResult {
  if (error instanceof TuttiError || error instanceof ToolCallError) throw error;
  if (error instanceof ProtocolError && REFUSED_CODES.includes(error.code))
    return { content: placeholders.redact(`The server refuses the call: ${error.message}`), isError: true };
  if (signal.aborted) throw new ToolCallError('maybe', 'the call was given up');
  const code = error instanceof SdkError ? error.code : '';
  if (code === SdkErrorCode.RequestTimeout)
    throw new ToolCallError('maybe', `the MCP server did not answer within ${timeoutMs} ms`, { code: 'timeout' });
  const status = httpStatusOf(error);
  if (status !== undefined && status >= 400 && status < 500)
    throw new ToolCallError('no', `the MCP server refused the request (HTTP ${status})`);
  if ((error as { cause?: { code?: unknown } }).cause?.code === 'ECONNREFUSED')
    throw new ToolCallError('no', 'the MCP server cannot be reached (ECONNREFUSED)');
  throw new ToolCallError(
    NOT_SENT_CODES.includes(code) ? 'no' : 'maybe',
    `the MCP server failed the call (${codeOf(error)})`,
  );
}

/** HTTP status of a request that was refused; opening the stream of a request that was taken does not count. */
function httpStatusOf(error: unknown): number | undefined {
  const isPost = error instanceof SdkHttpError && error.code !== SdkErrorCode.ClientHttpFailedToOpenStream;
  return isPost ? error.status : undefined;
}

/** A short word for a failure. The message itself may hold a command line or an address. */
function codeOf(error: unknown): string {
  const { code, name, cause } = error as { code?: unknown; name?: string; cause?: { code?: unknown } };
  return String(code ?? cause?.code ?? name ?? 'unknown');
}
