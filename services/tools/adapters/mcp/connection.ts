/**
 * One connection to an MCP server at a time: made on first use, again after it was lost, closed when nobody used it for a
 * while. Speaks the stateless protocol (2026-07-28) and those that begin with `initialize`.
 */
import {
  Client,
  OAuthError,
  SdkErrorCode,
  SdkHttpError,
  type StreamableHTTPClientTransport,
  type Transport,
  UnauthorizedError,
} from '@modelcontextprotocol/client';
import { TuttiError } from '@tutti/contracts';
import { ToolCallError } from '../../ports/tool-source.ts';
import { OutboundRefused } from '../outbound/outbound.ts';

/** Times that a person is sent to log in for one use: first for a token, then for more scopes. */
const LOGINS_MAX = 3;

export interface ConnectionOptions {
  transports(): Transport;
  connectTimeoutMs: number;
  idleMs: number;
  /** The server says that what it offers is different now. */
  onChanged(): void;
  /** Somebody to log in: resolves with what the authorization server sent back. Without: such a server is out of reach. */
  login?: (() => Promise<URLSearchParams>) | undefined;
}

export interface Connection {
  use<T>(work: (client: Client) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

interface Open {
  client: Client;
  transport: Transport;
  isOpen: boolean;
}

export function createConnection(options: ConnectionOptions): Connection {
  let connecting: Promise<Open> | undefined;
  let active = 0;
  let idleTimer: NodeJS.Timeout | undefined;
  let closed = false;

  async function connect(logins = 0): Promise<Open> {
    const transport = options.transports();
    const client = createClient(options.onChanged);
    const open: Open = { client, transport, isOpen: true };
    client.onclose = () => {
      open.isOpen = false;
    };
    // Errors that belong to a request reject it; the rest shows as a closed connection.
    client.onerror = () => {};
    try {
      await client.connect(transport, { timeout: options.connectTimeoutMs });
      return open;
    } catch (error) {
      const again = error instanceof UnauthorizedError && logins < LOGINS_MAX && (await logIn(transport));
      await client.close().catch(() => {});
      await transport.close().catch(() => {});
      if (again) return connect(logins + 1);
      if (error instanceof TuttiError) throw error;
      if (needsLogin(error)) throw new ToolCallError('no', `cannot connect to the MCP server: ${LOGIN_ADVICE}`);
      throw new ToolCallError('no', `cannot connect to the MCP server (${reasonOf(error)})`);
    }
  }

  async function logIn(transport: Transport): Promise<boolean> {
    if (!options.login) return false;
    await (transport as StreamableHTTPClientTransport).finishAuth(await options.login());
    return true;
  }

  async function connected(): Promise<Open> {
    if (closed) throw new ToolCallError('no', 'the tool source was closed');
    const before = connecting;
    if (before) {
      const open = await before.catch(() => undefined);
      if (open?.isOpen) return open;
      if (connecting === before) connecting = undefined;
    }
    connecting ??= connect();
    return connecting;
  }

  async function attempt<T>(work: (client: Client) => Promise<T>, logins: number): Promise<T> {
    const open = await connected();
    try {
      return await work(open.client);
    } catch (error) {
      // Refused for want of a token or of a scope: the server has not looked at the request.
      if (error instanceof UnauthorizedError && logins < LOGINS_MAX && (await logIn(open.transport)))
        return attempt(work, logins + 1);
      // The server does not know our session (any more): the next use opens another.
      if (httpStatusOf(error) !== undefined) open.isOpen = false;
      throw error;
    }
  }

  async function disconnect(): Promise<void> {
    const last = connecting;
    connecting = undefined;
    clearTimeout(idleTimer);
    const open = await last?.catch(() => undefined);
    await open?.client.close().catch(() => {});
  }

  return {
    async use(work) {
      active += 1;
      clearTimeout(idleTimer);
      try {
        return await attempt(work, 0);
      } finally {
        active -= 1;
        if (active === 0 && !closed) {
          idleTimer = setTimeout(() => void disconnect(), options.idleMs);
          idleTimer.unref();
        }
      }
    },
    async close() {
      closed = true;
      await disconnect();
    },
  };
}

function createClient(onChanged: () => void): Client {
  const changed = { autoRefresh: false, onChanged: () => onChanged() };
  return new Client(
    { name: 'tutti', version: '0.1.0' },
    {
      versionNegotiation: { mode: 'auto' },
      // Fulfilling requests for input would send the call a second time.
      inputRequired: { autoFulfill: false },
      listChanged: { tools: changed, resources: changed, prompts: changed },
    },
  );
}

/** HTTP status of a request that was refused; opening the stream of a request that was taken does not count. */
export function httpStatusOf(error: unknown): number | undefined {
  const isPost = error instanceof SdkHttpError && error.code !== SdkErrorCode.ClientHttpFailedToOpenStream;
  return isPost ? error.status : undefined;
}

export const LOGIN_ADVICE =
  'it wants a login, and what the source has is not (or no longer) good for one: log in again with `tutti tools login`, and give the source its `oauth`';
const LOGIN_REFUSED: readonly string[] = ['invalid_grant', 'invalid_client', 'unauthorized_client'];

/** The server wants a token, and there is none or none can be had. It has not looked at the request. */
export function needsLogin(error: unknown): boolean {
  return error instanceof UnauthorizedError || (error instanceof OAuthError && LOGIN_REFUSED.includes(error.code));
}

/** A short word for a failure. The message itself may hold a command line, an address or a token. */
export function reasonOf(error: unknown): string {
  for (let at = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++)
    if (at instanceof OutboundRefused) return at.message;
  const { code, name, cause } = error as { code?: unknown; name?: string; cause?: { code?: unknown } };
  return String(code ?? cause?.code ?? name ?? 'unknown');
}
