/**
 * The MCP source as the conformance suite's client under test: `node tests/mcp/client.ts URL`. Lists what the server has
 * and calls each tool once. Where a person would log in, the page's redirect is followed by itself.
 */
import { ToolSource as Manifest } from '@tutti/contracts';
import { createLogin } from '../../services/tools/adapters/mcp/login.ts';
import { createMcpSource } from '../../services/tools/adapters/mcp/source.ts';
import type { McpManifest } from '../../services/tools/adapters/mcp/transport.ts';
import { createGrants, parseGrants } from '../../services/tools/adapters/outbound/grants.ts';
import { createOutbound } from '../../services/tools/adapters/outbound/outbound.ts';
import { createPlaceholders } from '../../services/tools/core/placeholders.ts';
import type { SourceTool } from '../../services/tools/ports/tool-source.ts';

const REDIRECT_URL = 'http://localhost:3000/callback';
/** The suite's own: the address of a document about the client that it expects to see. */
const CLIENT_METADATA_URL = 'https://conformance-test.local/client-metadata.json';
const TIMEOUT_MS = 20_000;

interface Context {
  client_id?: string;
  client_secret?: string;
  private_key_pem?: string;
  signing_algorithm?: string;
  /** What to call, where the suite wants something particular. */
  toolCalls?: { name: string; arguments: Record<string, unknown> }[];
}

const url = process.argv.at(-1)!;
const scenario = process.env.MCP_CONFORMANCE_SCENARIO ?? '';
const context = JSON.parse(process.env.MCP_CONFORMANCE_CONTEXT ?? '{}') as Context;
const outbound = createOutbound(createGrants(parseGrants('127.0.0.1 localhost ::1')));

function grantOf(): object | undefined {
  if (!scenario.startsWith('auth/client-credentials')) return undefined;
  if (context.private_key_pem)
    return {
      grant: 'private_key_jwt',
      clientId: context.client_id,
      privateKey: context.private_key_pem,
      algorithm: context.signing_algorithm,
    };
  return { grant: 'client_credentials', clientId: context.client_id, clientSecret: context.client_secret };
}

const oauth = grantOf();
// This scenario's server names an issuer that RFC 8414 forbids: a bundle has to allow it in so many words, and so have we.
const issuerCheck = scenario === 'auth/2025-03-26-oauth-metadata-backcompat' ? 'off' : 'strict';
const transport = { type: 'http', url, oauth, issuerCheck };
const manifest = Manifest.parse({ type: 'mcp', transport }) as McpManifest;
const login = createLogin({
  redirectUrl: REDIRECT_URL,
  clientMetadataUrl: CLIENT_METADATA_URL,
  ...(context.client_id ? { client: { id: context.client_id, secret: context.client_secret } } : {}),
  async open(page) {
    const response = await outbound.fetch(page);
    const location = response.headers.get('location');
    if (location === null) throw new Error(`the authorization server does not redirect (HTTP ${response.status})`);
    return new URL(location).searchParams;
  },
});
const source = createMcpSource({
  manifest,
  placeholders: createPlaceholders('conformance', {}),
  outbound,
  connectTimeoutMs: TIMEOUT_MS,
  idleMs: TIMEOUT_MS,
  login: oauth ? undefined : login,
});

/** Something that fits a schema, simple as those of the suite are. */
function example(schema: Record<string, unknown>): unknown {
  if (schema.type === 'object') {
    const properties = (schema.properties ?? {}) as Record<string, Record<string, unknown>>;
    return Object.fromEntries(Object.entries(properties).map(([name, property]) => [name, example(property)]));
  }
  if (schema.type === 'number' || schema.type === 'integer') return 3;
  if (schema.type === 'boolean') return true;
  return schema.type === 'array' ? [] : 'text';
}

/** The suite's echo wants to see the schema of the tool beside it as it was received. */
function argumentsOf(tool: SourceTool, tools: SourceTool[]): Record<string, unknown> {
  if (tool.name === 'json_schema_echo') return { schema: tools.find((one) => one !== tool)?.parameters };
  return example(tool.parameters) as Record<string, unknown>;
}

try {
  const { tools } = await source.list(AbortSignal.timeout(TIMEOUT_MS));
  for (const call of context.toolCalls ??
    tools.map((tool) => ({ name: tool.name, arguments: argumentsOf(tool, tools) }))) {
    const options = { signal: AbortSignal.timeout(TIMEOUT_MS), timeoutMs: TIMEOUT_MS };
    const result = await source.call(call.name, call.arguments, options);
    console.log(`${call.name}: ${result.content.slice(0, 200)}`);
  }
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
} finally {
  await source.close();
}
