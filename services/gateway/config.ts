/** The gateway's settings, from the environment. Every limit has a name and a default here and nowhere else. */
import { z } from 'zod';
import { ApiKeys } from './core/api-keys.ts';

const SECOND_MS = 1_000;
const MEBIBYTE = 1_048_576;
const positive = (defaultValue: number) => z.coerce.number().int().positive().default(defaultValue);

export const GatewayConfig = z
  .object({
    TUTTI_HOST: z.string().default('127.0.0.1').describe('Address to listen on.'),
    TUTTI_PORT: z.coerce.number().int().min(0).max(65_535).default(8080).describe('Port; 0: any free one.'),
    TUTTI_API_KEYS: ApiKeys.optional().describe(
      '`key:tenant[:principal]`, separated by commas; `principal[role+role]` for policies. None: no key is asked.',
    ),
    TUTTI_OPEN: z
      .enum(['true', 'false'])
      .default('false')
      .describe('`true`: listen without API keys on an address that is not loopback.'),
    TUTTI_HTTP_BODY_BYTES_MAX: positive(8 * MEBIBYTE).describe('Largest request body.'),
    TUTTI_SSE_HEARTBEAT_MS: positive(15 * SECOND_MS).describe('A comment is sent on quiet streams this often.'),
    TUTTI_SSE_RETRY_MS: positive(SECOND_MS).describe('How soon a client of a closed stream may come back.'),
    TUTTI_SSE_BUFFER_BYTES_MAX: positive(4 * MEBIBYTE).describe(
      'What may wait for one slow client; over it the stream is cut and the client resumes by Last-Event-ID.',
    ),
    TUTTI_WATCHERS_MAX: positive(2_000).describe('Event streams and waiting chat requests at once.'),
    TUTTI_CHAT_WAIT_MS: positive(600 * SECOND_MS).describe('How long a chat request waits for its run.'),
    TUTTI_CHAT_HISTORY_TURNS_MAX: positive(12).describe(
      'Earlier turns that are taken over from a request without a session.',
    ),
    TUTTI_BUNDLE_FRESH_MS: z.coerce
      .number()
      .int()
      .nonnegative()
      .default(250)
      .describe('For so long a model that is used directly goes by the bundle that was current last.'),
    TUTTI_OWNER_TIMEOUT_MS: positive(SECOND_MS).describe('How long an owner of a partition may take to answer.'),
    TUTTI_READ_TIMEOUT_MS: positive(3 * SECOND_MS).describe('How long memory and the retriever may take to answer.'),
    TUTTI_APPEND_TIMEOUT_MS: positive(5 * SECOND_MS).describe(
      'How long the bus may take to store a message, each try.',
    ),
    TUTTI_APPEND_TRIES_MAX: positive(3).describe('Tries to store a message; a repeat is recognised by its id.'),
    TUTTI_FOLLOW_POLL_MS: positive(2 * SECOND_MS).describe('A followed run that is silent this long is asked for.'),
    TUTTI_FOLLOW_RETRY_MS: positive(50).describe('First wait before a gap is asked for again; doubles up to the poll.'),
    TUTTI_FOLLOW_CHILD_TRIES_MAX: positive(6).describe(
      'Tries to read a child run before its parent goes on without it.',
    ),
    TUTTI_APPROVAL_CONFIRM_MS: positive(5 * SECOND_MS).describe(
      'How long a decision, an answer or a schedule waits to be seen taken in.',
    ),
    TUTTI_LAG_MAX: positive(20_000).describe(
      'Messages that may wait in a partition before new runs for it are refused as overloaded.',
    ),
    TUTTI_PREFLIGHT_TIMEOUT_MS: positive(120 * SECOND_MS).describe('How long a preflight may take.'),
    TUTTI_DRAIN_TIMEOUT_MS: positive(10 * SECOND_MS).describe('How long stopping waits for requests under way.'),
  })
  .transform((env) => ({
    host: env.TUTTI_HOST,
    port: env.TUTTI_PORT,
    apiKeys: env.TUTTI_API_KEYS ?? [],
    open: env.TUTTI_OPEN === 'true',
    bodyBytesMax: env.TUTTI_HTTP_BODY_BYTES_MAX,
    sseHeartbeatMs: env.TUTTI_SSE_HEARTBEAT_MS,
    sseRetryMs: env.TUTTI_SSE_RETRY_MS,
    sseBufferBytesMax: env.TUTTI_SSE_BUFFER_BYTES_MAX,
    watchersMax: env.TUTTI_WATCHERS_MAX,
    chatWaitMs: env.TUTTI_CHAT_WAIT_MS,
    chatHistoryTurnsMax: env.TUTTI_CHAT_HISTORY_TURNS_MAX,
    bundleFreshMs: env.TUTTI_BUNDLE_FRESH_MS,
    ownerTimeoutMs: env.TUTTI_OWNER_TIMEOUT_MS,
    readTimeoutMs: env.TUTTI_READ_TIMEOUT_MS,
    appendTimeoutMs: env.TUTTI_APPEND_TIMEOUT_MS,
    appendTriesMax: env.TUTTI_APPEND_TRIES_MAX,
    followPollMs: env.TUTTI_FOLLOW_POLL_MS,
    followRetryMs: env.TUTTI_FOLLOW_RETRY_MS,
    followChildTriesMax: env.TUTTI_FOLLOW_CHILD_TRIES_MAX,
    approvalConfirmMs: env.TUTTI_APPROVAL_CONFIRM_MS,
    lagMax: env.TUTTI_LAG_MAX,
    preflightTimeoutMs: env.TUTTI_PREFLIGHT_TIMEOUT_MS,
    drainTimeoutMs: env.TUTTI_DRAIN_TIMEOUT_MS,
  }));
export type GatewayConfig = z.output<typeof GatewayConfig>;
