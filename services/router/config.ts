/** The router's settings, from the environment. Empty variables count as unset. */
import { OFFLINE_MODEL } from '@tutti/contracts';
import { z } from 'zod';

/** Used when there is a key and nothing else. */
export const DEFAULT_MODEL = 'gpt-5-mini';
export { OFFLINE_MODEL };

const text = z.preprocess((value) => (value === '' ? undefined : value), z.string().optional());
const number = (schema: z.ZodNumber, fallback: number) =>
  z.preprocess((value) => (value === '' || value === undefined ? fallback : Number(value)), schema);
const count = (fallback: number) => number(z.number().int().nonnegative(), fallback);
const milliseconds = (fallback: number) => number(z.number().int().positive(), fallback);
const dollars = number(z.number().nonnegative(), 0);
const flag = (fallback: boolean) =>
  z.preprocess(
    (value) => (value === '' || value === undefined ? String(fallback) : value),
    z.enum(['true', 'false', '1', '0']).transform((value) => value === 'true' || value === '1'),
  );

const words = z.preprocess(
  (value) => (typeof value === 'string' ? value.split(',').flatMap((word) => word.trim() || []) : []),
  z.array(z.string()),
);
const VARIABLE = 'TUTTI_VAR_';

const Environment = z
  .looseObject({
    OPENAI_BASE_URL: z.preprocess((value) => (value === '' ? undefined : value), z.url().optional()),
    OPENAI_API_KEY: text,
    TUTTI_MODEL: text,
    /** US dollars per million tokens. */
    TUTTI_MODEL_PRICE_INPUT: dollars,
    TUTTI_MODEL_PRICE_OUTPUT: dollars,
    /** `false`: the model cannot call tools, so requests with tools skip it. */
    TUTTI_MODEL_TOOLS: flag(true),
    /** Of TUTTI_MODEL: its window, where it is worked on, and what labelled data may be sent there. */
    TUTTI_MODEL_CONTEXT_TOKENS: z.preprocess(
      (value) => (value === '' || value === undefined ? undefined : Number(value)),
      z.number().int().positive().optional(),
    ),
    TUTTI_MODEL_REGION: text,
    TUTTI_MODEL_LABELS: words,
    /** `false`: an outage of every model is an error, never an answer of the offline model. */
    TUTTI_OFFLINE_FALLBACK: flag(true),
    /** One try of one model, from the request to the last token. */
    TUTTI_MODEL_TIMEOUT_MS: milliseconds(60_000),
    /** Of a stream: until something comes at all, silence after that, and how little may come for how long. */
    TUTTI_MODEL_FIRST_TOKEN_TIMEOUT_MS: milliseconds(30_000),
    TUTTI_MODEL_IDLE_TIMEOUT_MS: milliseconds(20_000),
    TUTTI_MODEL_CHARS_PER_SECOND_MIN: number(z.number().nonnegative(), 4),
    TUTTI_MODEL_RATE_WINDOW_MS: milliseconds(15_000),
    /** Tries again of one provider, model and key; tries of one call altogether. */
    TUTTI_MODEL_RETRIES_MAX: count(1),
    TUTTI_MODEL_ATTEMPTS_MAX: number(z.number().int().positive(), 8),
    /** Tries again with the mistakes shown, and with a smaller context. */
    TUTTI_MODEL_REASKS_MAX: count(1),
    TUTTI_MODEL_REFITS_MAX: count(2),
    TUTTI_MODEL_BACKOFF_MS: milliseconds(500),
    /** When every way rests (open breakers) and no last resort is allowed: how long a call waits for one. */
    TUTTI_MODEL_REST_WAIT_MS: count(5_000),
    TUTTI_MODEL_RETRY_AFTER_MAX_MS: milliseconds(10_000),
    /** For a bundle's classifier to say how hard a request is; after that the features decide. */
    TUTTI_CLASSIFIER_TIMEOUT_MS: milliseconds(3_000),
    /** Kept free before the deadline for the models that come after. */
    TUTTI_MODEL_RESERVE_MS: milliseconds(1_000),
    /** Characters of one answer, tool arguments included. */
    TUTTI_MODEL_OUTPUT_CHARS_MAX: count(400_000),
    /** Failures in a row that open a model's circuit. */
    TUTTI_BREAKER_FAILURES_MAX: number(z.number().int().positive(), 5),
    TUTTI_BREAKER_OPEN_MS: milliseconds(30_000),
    /** Finished calls that are remembered, so that a repeat gets the same answer. */
    TUTTI_ROUTER_RESULTS_MAX: count(256),
    /** How long a call waits for what others have set aside of a budget and may not use. */
    TUTTI_BUDGET_WAIT_MS: count(5_000),
    /** Behind a call's deadline: what it had set aside is free again, for its router has died. */
    TUTTI_BUDGET_ORPHAN_MS: milliseconds(30_000),
    /** How soon a changed bundle's budgets and privacy hold. */
    TUTTI_BUNDLE_FRESH_MS: count(1_000),
    /** How long a call waits for a provider's rate limit before another model is asked. */
    TUTTI_RATE_WAIT_MS: count(2_000),
    /** How often what was used is written down. */
    TUTTI_USAGE_FLUSH_MS: milliseconds(2_000),
    TUTTI_CACHE_ENTRIES_MAX: count(2_000),
    /** Characters of all answers in the cache together. */
    TUTTI_CACHE_CHARS_MAX: count(16_000_000),
    /** For caches that go by meaning: a model of embeddings, at OPENAI_BASE_URL unless it says otherwise. */
    TUTTI_EMBEDDINGS_MODEL: text,
    TUTTI_EMBEDDINGS_BASE_URL: z.preprocess((value) => (value === '' ? undefined : value), z.url().optional()),
    TUTTI_EMBEDDINGS_API_KEY: text,
    /** Where it is, and labelled data that may be sent there: as for the model. */
    TUTTI_EMBEDDINGS_REGION: text,
    TUTTI_EMBEDDINGS_LABELS: words,
  })
  .superRefine((config, context) => {
    if (config.TUTTI_MODEL === OFFLINE_MODEL) return;
    const missing = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message });
    if (config.OPENAI_BASE_URL && !config.TUTTI_MODEL)
      missing('TUTTI_MODEL', 'OPENAI_BASE_URL is set: name the model to ask for there in TUTTI_MODEL');
    if (config.TUTTI_MODEL && !config.OPENAI_BASE_URL && !config.OPENAI_API_KEY)
      missing(
        'OPENAI_API_KEY',
        `TUTTI_MODEL is ${config.TUTTI_MODEL}: set OPENAI_API_KEY, or OPENAI_BASE_URL for an endpoint without a key`,
      );
  });

/** `variables`: `TUTTI_VAR_<NAME>` by name, for `${NAME}` in a bundle's providers. */
export const RouterConfig = Environment.transform((environment) => ({
  ...environment,
  variables: Object.fromEntries(
    Object.entries(environment).flatMap(([name, value]) =>
      name.startsWith(VARIABLE) && typeof value === 'string' ? [[name.slice(VARIABLE.length), value]] : [],
    ),
  ) as Record<string, string>,
}));
export type RouterConfig = z.output<typeof RouterConfig>;
