/** Configuration of the tools service, and every limit of its own. */
import { LIMITS } from '@tutti/contracts';
import { z } from 'zod';
import { createGrants, type Grants, parseGrants } from './adapters/outbound/grants.ts';

const VARIABLE = 'TUTTI_VAR_';
const positive = (fallback: number) => z.coerce.number().int().positive().default(fallback);

const Environment = z.looseObject({
  TUTTI_TOOLS_CALL_TIMEOUT_MS: positive(30_000).describe('A tool call without a `timeoutMs` of its own.'),
  TUTTI_TOOLS_CALL_TRIES_MAX: positive(3).describe('Tries of one dispatch where a repeat is safe.'),
  TUTTI_TOOLS_CALL_BACKOFF_MS: positive(200).describe('Wait before the second try; doubles from then on.'),
  TUTTI_TOOLS_CONCURRENT_MAX: positive(256).describe('Tool calls at once; more are refused with a hint.'),
  TUTTI_TOOLS_CONCURRENT_PER_TOOL_MAX: positive(64).describe('Calls of one tool at once.'),
  TUTTI_TOOLS_CONCURRENT_PER_TENANT_MAX: positive(128).describe('Calls of one tenant at once.'),
  TUTTI_TOOLS_PER_MINUTE_PER_TENANT_MAX: positive(60_000).describe('Calls of one tenant a minute.'),
  TUTTI_TOOLS_BREAKER_FAILURES_MAX: positive(8).describe('Failures of one tool in a row after which it is left alone.'),
  TUTTI_TOOLS_BREAKER_OPEN_MS: positive(2_000).describe('How long a tool is left alone at first; doubles.'),
  TUTTI_TOOLS_BREAKER_OPEN_MAX_MS: positive(60_000).describe('How long it is left alone at most.'),
  TUTTI_TOOLS_RESPONSE_BYTES_MAX: positive(1_000_000).describe(
    'Bytes read of one answer; the rest is cut with a note.',
  ),
  TUTTI_TOOLS_RESULT_CHARS_MAX: positive(LIMITS.toolResultCharsMax).describe('Characters of one result.'),
  TUTTI_TOOLS_LIST_TTL_MS: positive(60_000).describe('How long what an MCP server offers is remembered.'),
  TUTTI_TOOLS_LIST_TIMEOUT_MS: positive(10_000).describe('Connecting to a source and asking what it offers.'),
  TUTTI_TOOLS_IDLE_MS: positive(300_000).describe('An MCP connection that was not used for this long is closed.'),
  TUTTI_TOOLS_PAUSE_MAX_MS: positive(1_000).describe(
    'A process that was held up for longer between intent and dispatch reads the ledger again first.',
  ),
  TUTTI_TOOLS_PEER_GONE_MS: positive(2_000).describe('A replica that nobody hears of for this long counts as gone.'),
  TUTTI_TOOLS_PROBE_SETTLE_MS: positive(2_000).describe(
    'A probe that finds nothing is asked again after the timeout of the lost attempt and this much more.',
  ),
  TUTTI_TOOLS_PRIVATE_NETWORKS: z
    .string()
    .default('')
    .describe(
      'Networks and hosts beyond the public internet that tools may reach: 10.0.0.0/8, 127.0.0.1:8080, db.internal.',
    )
    .transform((text, context): Grants => {
      try {
        return createGrants(parseGrants(text));
      } catch (error) {
        context.addIssue({ code: 'custom', message: (error as Error).message });
        return z.NEVER;
      }
    }),
});

export interface ToolsLimits {
  callTimeoutMs: number;
  callTriesMax: number;
  callBackoffMs: number;
  concurrentMax: number;
  concurrentPerToolMax: number;
  concurrentPerTenantMax: number;
  perMinutePerTenantMax: number;
  failuresMax: number;
  openMs: number;
  openMsMax: number;
  responseBytesMax: number;
  resultCharsMax: number;
  listTtlMs: number;
  listTimeoutMs: number;
  idleMs: number;
  pauseMaxMs: number;
  peerGoneMs: number;
  probeSettleMs: number;
}

/** `variables`: `TUTTI_VAR_<NAME>` by name, for `${NAME}` in tool sources. */
export const ToolsConfig = Environment.transform((environment) => ({
  limits: {
    callTimeoutMs: environment.TUTTI_TOOLS_CALL_TIMEOUT_MS,
    callTriesMax: environment.TUTTI_TOOLS_CALL_TRIES_MAX,
    callBackoffMs: environment.TUTTI_TOOLS_CALL_BACKOFF_MS,
    concurrentMax: environment.TUTTI_TOOLS_CONCURRENT_MAX,
    concurrentPerToolMax: environment.TUTTI_TOOLS_CONCURRENT_PER_TOOL_MAX,
    concurrentPerTenantMax: environment.TUTTI_TOOLS_CONCURRENT_PER_TENANT_MAX,
    perMinutePerTenantMax: environment.TUTTI_TOOLS_PER_MINUTE_PER_TENANT_MAX,
    failuresMax: environment.TUTTI_TOOLS_BREAKER_FAILURES_MAX,
    openMs: environment.TUTTI_TOOLS_BREAKER_OPEN_MS,
    openMsMax: environment.TUTTI_TOOLS_BREAKER_OPEN_MAX_MS,
    responseBytesMax: environment.TUTTI_TOOLS_RESPONSE_BYTES_MAX,
    resultCharsMax: environment.TUTTI_TOOLS_RESULT_CHARS_MAX,
    listTtlMs: environment.TUTTI_TOOLS_LIST_TTL_MS,
    listTimeoutMs: environment.TUTTI_TOOLS_LIST_TIMEOUT_MS,
    idleMs: environment.TUTTI_TOOLS_IDLE_MS,
    pauseMaxMs: environment.TUTTI_TOOLS_PAUSE_MAX_MS,
    peerGoneMs: environment.TUTTI_TOOLS_PEER_GONE_MS,
    probeSettleMs: environment.TUTTI_TOOLS_PROBE_SETTLE_MS,
  } satisfies ToolsLimits,
  grants: environment.TUTTI_TOOLS_PRIVATE_NETWORKS,
  variables: Object.fromEntries(
    Object.entries(environment).flatMap(([name, value]) =>
      name.startsWith(VARIABLE) && typeof value === 'string' ? [[name.slice(VARIABLE.length), value]] : [],
    ),
  ) as Record<string, string>,
}));
export type ToolsConfig = z.output<typeof ToolsConfig>;
