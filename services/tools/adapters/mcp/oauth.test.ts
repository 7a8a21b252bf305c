/** A refresh token against a real authorization server and MCP server over HTTP: used, replaced, refused; and a login. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ToolSource as Manifest } from '@tutti/contracts';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createPlaceholders } from '../../core/placeholders.ts';
import { logIn } from '../../login.ts';
import type { ToolSource } from '../../ports/tool-source.ts';
import { createGrants, parseGrants } from '../outbound/grants.ts';
import { createOutbound } from '../outbound/outbound.ts';
import { createMcpSource } from './source.ts';
import type { McpManifest } from './transport.ts';

interface Guarded {
  url: string;
  /** Access tokens that count now; refresh tokens that may be used. */
  access: Set<string>;
  refresh: Set<string>;
  grants: string[];
  /** Authorization headers that came to the MCP server with `tools/call`. */
  seen: (string | undefined)[];
}
let guarded: Guarded;
let server: Server;
let sources: ToolSource[] = [];

beforeEach(async () => {
  guarded = { url: '', access: new Set(), refresh: new Set(['first-refresh-token']), grants: [], seen: [] };
  let issued = 0;
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      const url = new URL(request.url!, guarded.url);
      const json = (status: number, data: unknown, headers = {}) =>
        response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(data));
      const give = () => {
        const [access_token, refresh_token] = [`access-token-${++issued}`, `refresh-token-${issued}`];
        guarded.access.add(access_token);
        guarded.refresh.add(refresh_token);
        json(200, { access_token, refresh_token, token_type: 'Bearer', expires_in: 3_600 });
      };
      if (url.pathname.startsWith('/.well-known/oauth-protected-resource'))
        return json(200, { resource: `${guarded.url}/mcp`, authorization_servers: [guarded.url] });
      if (url.pathname === '/.well-known/oauth-authorization-server')
        return json(200, {
          issuer: guarded.url,
          authorization_endpoint: `${guarded.url}/authorize`,
          token_endpoint: `${guarded.url}/token`,
          registration_endpoint: `${guarded.url}/register`,
          response_types_supported: ['code'],
          code_challenge_methods_supported: ['S256'],
          grant_types_supported: ['authorization_code', 'refresh_token'],
          token_endpoint_auth_methods_supported: ['none'],
        });
      if (url.pathname === '/register') return json(201, { ...JSON.parse(body), client_id: 'registered' });
      if (url.pathname === '/token') {
        const form = new URLSearchParams(body);
        guarded.grants.push(form.get('grant_type')!);
        if (form.get('grant_type') === 'authorization_code' && form.get('code') === 'the-code') return give();
        // One use each.
        if (guarded.refresh.delete(form.get('refresh_token') ?? '')) return give();
        return json(400, { error: 'invalid_grant', error_description: 'it was revoked' });
      }
      if (url.pathname !== '/mcp') return json(404, {});
      if (request.method !== 'POST') return response.writeHead(405).end();
      const message = JSON.parse(body);
      if (message.method === 'tools/call') guarded.seen.push(request.headers.authorization);
      if (!guarded.access.has((request.headers.authorization ?? '').replace('Bearer ', '')))
        return json(
          401,
          {},
          {
            'www-authenticate': `Bearer resource_metadata="${guarded.url}/.well-known/oauth-protected-resource/mcp"`,
          },
        );
      if (message.id === undefined) return response.writeHead(202).end();
      const results: Record<string, unknown> = {
        initialize: {
          protocolVersion: '2025-06-18',
          capabilities: { tools: {} },
          serverInfo: { name: 'guarded', version: '1' },
        },
        'tools/list': {
          tools: [{ name: 'peek', inputSchema: { type: 'object' }, annotations: { readOnlyHint: true } }],
        },
        'tools/call': { content: [{ type: 'text', text: `seen with ${request.headers.authorization}` }] },
      };
      const result = results[message.method];
      const answer = result ? { result } : { error: { code: -32601, message: 'no such method' } };
      json(200, { jsonrpc: '2.0', id: message.id, ...answer });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  guarded.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  await Promise.all(sources.map((source) => source.close()));
  sources = [];
  server.closeAllConnections();
  server.close();
});

function source(refreshToken: string): ToolSource {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a placeholder
  const oauth = { grant: 'refresh_token', clientId: 'tutti', refreshToken: '${MCP_TOKEN}' };
  const made = createMcpSource({
    manifest: Manifest.parse({
      type: 'mcp',
      transport: { type: 'http', url: `${guarded.url}/mcp`, oauth },
    }) as McpManifest,
    placeholders: createPlaceholders('guarded', { MCP_TOKEN: refreshToken }),
    outbound: createOutbound(createGrants(parseGrants('127.0.0.1'))),
    connectTimeoutMs: 10_000,
    idleMs: 60_000,
  });
  sources.push(made);
  return made;
}
const options = () => ({ signal: AbortSignal.timeout(10_000), timeoutMs: 10_000 });

it('a token that has expired is replaced, by the newest refresh token, and the call works', async () => {
  const made = source('first-refresh-token');
  expect((await made.list(AbortSignal.timeout(10_000))).tools.map(({ name }) => name)).toEqual(['peek']);
  for (let i = 0; i < 2; i++) {
    guarded.access.clear();
    // No token of anybody is in what a model sees.
    expect(await made.call('peek', {}, options())).toMatchObject({
      isError: false,
      content: expect.not.stringContaining('access-token'),
    });
  }
  expect(guarded.grants).toEqual(['refresh_token', 'refresh_token', 'refresh_token']);
  expect(guarded.seen.at(-1)).toBe('Bearer access-token-3');
});

it('a refresh that is refused says how to log in again, before and between calls', async () => {
  await expect(source('revoked-refresh-token').list(AbortSignal.timeout(10_000))).rejects.toThrow(/tutti tools login/);
  const made = source('first-refresh-token');
  await made.list(AbortSignal.timeout(10_000));
  guarded.access.clear();
  guarded.refresh.clear();
  await expect(made.call('peek', {}, options())).rejects.toMatchObject({
    sent: 'no',
    message: expect.stringContaining('tutti tools login'),
  });
});

it('a login gives a refresh token that a source can use', async () => {
  const { tokens, client, tools } = await logIn({
    url: `${guarded.url}/mcp`,
    redirectUrl: 'http://127.0.0.1:1/callback',
    open: async (page) => {
      expect(page.searchParams.get('code_challenge_method')).toBe('S256');
      return new URLSearchParams({ code: 'the-code', state: page.searchParams.get('state') ?? '' });
    },
  });
  expect([tools, client?.client_id]).toEqual([1, 'registered']);
  expect(guarded.grants).toEqual(['authorization_code']);
  const made = source(tokens!.refresh_token!);
  expect(await made.call('peek', {}, options())).toMatchObject({ isError: false });
});
