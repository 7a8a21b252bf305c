/** For `tutti tools login`: one login to an MCP server, on the machine of whoever logs in. */
import { ToolSource as Manifest } from '@tutti/contracts';
import { createLogin, type Login, type LoginOptions } from './adapters/mcp/login.ts';
import { createMcpSource } from './adapters/mcp/source.ts';
import type { McpManifest } from './adapters/mcp/transport.ts';
import { createGrants, parseGrants } from './adapters/outbound/grants.ts';
import { createOutbound } from './adapters/outbound/outbound.ts';
import { createPlaceholders } from './core/placeholders.ts';

/** A person waits, and has to type. */
const LOGIN_TIMEOUT_MS = 300_000;
/** Whoever logs in chose the address. */
const ANYWHERE = '0.0.0.0/0 ::/0';

export async function logIn(options: LoginOptions & { url: string }): Promise<{
  tokens: ReturnType<Login['tokens']>;
  client: ReturnType<Login['client']>;
  tools: number;
}> {
  const login = createLogin(options);
  const source = createMcpSource({
    manifest: Manifest.parse({ type: 'mcp', transport: { type: 'http', url: options.url } }) as McpManifest,
    placeholders: createPlaceholders('login', {}),
    outbound: createOutbound(createGrants(parseGrants(ANYWHERE))),
    connectTimeoutMs: LOGIN_TIMEOUT_MS,
    idleMs: LOGIN_TIMEOUT_MS,
    login,
  });
  try {
    const { tools } = await source.list(AbortSignal.timeout(LOGIN_TIMEOUT_MS));
    return { tokens: login.tokens(), client: login.client(), tools: tools.length };
  } finally {
    await source.close();
  }
}
