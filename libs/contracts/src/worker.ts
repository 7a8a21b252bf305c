/**
 * Tools served over the bus by any process in any language: a small JSON protocol. A worker subscribes to
 * `tutti.worker.<tenant>.<name>.describe` and to `….call` in a queue group; a cancellation is on `….cancel`.
 * What comes from outside is read leniently: unknown keys are left alone.
 */
import { z } from 'zod';
import { EffectKind, JsonSchema } from './chat.ts';

/** Answer to `describe` (whose payload is `{}`): what this worker serves. */
export const WorkerDescription = z.object({
  tools: z
    .array(
      z.object({
        name: z.string().min(1).max(64),
        description: z.string().default(''),
        parameters: JsonSchema.default({ type: 'object' }),
        returns: JsonSchema.optional(),
        /** What is not said counts as `irreversible`. */
        effect: EffectKind.default('irreversible'),
      }),
    )
    .max(1_000),
});
export type WorkerDescription = z.infer<typeof WorkerDescription>;

/** On `call`, with a reply subject for what follows. */
export const WorkerCall = z.object({
  id: z.string(),
  tool: z.string(),
  arguments: z.record(z.string(), z.unknown()),
  /** A repeat of the same call has the same key; not there for calls that are `pure`. */
  idempotencyKey: z.string().optional(),
  timeoutMs: z.number(),
});
export type WorkerCall = z.infer<typeof WorkerCall>;

/**
 * On the reply subject: any number of `{"progress": …}`, each of which says that the worker lives, then one result or
 * error. `retryable` promises that nothing was done.
 */
export const WorkerReply = z.union([
  z.object({ result: z.unknown() }).refine((reply) => reply.result !== undefined),
  z.object({ error: z.object({ message: z.string(), retryable: z.boolean().default(false) }) }),
  z.object({ progress: z.unknown() }).refine((reply) => reply.progress !== undefined),
]);
export type WorkerReply = z.infer<typeof WorkerReply>;

/** On `cancel`, for every worker of that name. */
export const WorkerCancel = z.object({ id: z.string() });
