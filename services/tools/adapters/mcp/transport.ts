/**
 * The way to an MCP server: a child process, or Streamable HTTP through the guarded client. Owns what goes along with it:
 * the headers of the bundle go to the server's own origin and nowhere else, also not to its authorization server; a
 * token is asked for this server alone and never taken from whoever calls Tutti.
 */
import type { FetchLike, OAuthClientProvider, Transport } from '@modelcontextprotocol/client';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { getDefaultEnvironment, StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { type ToolSource as Manifest, TuttiError } from '@tutti/contracts';
import type { Placeholders } from '../../core/placeholders.ts';
import type { Outbound } from '../outbound/outbound.ts';
import { limitedBody } from './limited-body.ts';
import { createOAuthProvider } from './oauth.ts';

export type McpManifest = Extract<Manifest, { type: 'mcp' }>;
/** More in one message and the connection is given up. */
export const MESSAGE_BYTES_MAX = 10_000_000;

export interface TransportOptions {
  manifest: McpManifest;
  placeholders: Placeholders;
  outbound: Outbound;
  /** In place of the manifest's `oauth`: for a person who logs in. */
  authProvider?: OAuthClientProvider | undefined;
}

/** Makes one transport after another; what was learnt of tokens is kept from one to the next. */
export function createTransports(options: TransportOptions): () => Transport {
  const { manifest, placeholders } = options;
  if (manifest.transport.type === 'stdio') return () => stdioTransport(manifest, placeholders);
  let provider: OAuthClientProvider | undefined;
  return () => {
    const { transport } = manifest;
    if (transport.type !== 'http') throw new TypeError('not an HTTP transport');
    const url = serverUrl(transport.url, placeholders);
    provider ??= options.authProvider ?? (transport.oauth && createOAuthProvider(transport.oauth, placeholders));
    return new StreamableHTTPClientTransport(url, {
      fetch: guardedFetch(options.outbound, url, filled(transport.headers, placeholders)),
      ...(provider ? { authProvider: provider } : {}),
      skipIssuerMetadataValidation: transport.issuerCheck === 'off',
    });
  };
}

function serverUrl(template: string, placeholders: Placeholders): URL {
  const url = placeholders.fillAddress(template);
  if (!URL.canParse(url)) throw new TuttiError('bundle_invalid', 'the URL of the MCP server is no absolute URL');
  const parsed = new URL(url);
  if (parsed.username || parsed.password)
    throw new TuttiError('bundle_invalid', 'the URL of the MCP server holds a user or password; use `headers`');
  return parsed;
}

function guardedFetch(outbound: Outbound, server: URL, headers: Record<string, string>): FetchLike {
  return async (input, init = {}) => {
    const url = new URL(input);
    const all = new Headers(init.headers);
    if (url.origin === server.origin)
      for (const [name, value] of Object.entries(headers)) if (!all.has(name)) all.set(name, value);
    const response = await outbound.fetch(url, { ...(init as object), headers: [...all] });
    return limitedBody(response, MESSAGE_BYTES_MAX);
  };
}

function stdioTransport({ transport }: McpManifest, placeholders: Placeholders): Transport {
  if (transport.type !== 'stdio') throw new TypeError('not a stdio transport');
  const command = placeholders.fill(transport.command);
  return new StdioClientTransport({
    // `node` is the Node that runs this: the one on PATH may be too old for type stripping.
    command: command === 'node' ? process.execPath : command,
    args: transport.args.map((argument) => placeholders.fill(argument)),
    env: { ...getDefaultEnvironment(), ...filled(transport.env, placeholders) },
    stderr: 'ignore',
    maxBufferSize: MESSAGE_BYTES_MAX,
  });
}

function filled(values: Record<string, string>, placeholders: Placeholders): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, placeholders.fill(value)]));
}
