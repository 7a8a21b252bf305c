/** Hints for whoever watches, on `tutti.live.<tenant>.<root>`: may be lost, never needed. A reader that sees a gap in `n` asks the owner or memory. */
import { z } from 'zod';
import { RunEntry } from './log.ts';

export const LiveEvent = z.discriminatedUnion('type', [
  /** An entry of the run or of one of its children, after it is in the log. */
  z.object({ type: z.literal('entry'), entry: RunEntry }),
  /** Text of an answer as it comes. `attempt` counts up when an answer is begun anew: what came before is void. */
  z.object({
    type: z.literal('token'),
    run: z.string(),
    callId: z.string(),
    attempt: z.number().int(),
    text: z.string(),
  }),
  /** An attempt that had begun to speak has died: everything that it said is void. */
  z.object({
    type: z.literal('superseded'),
    run: z.string(),
    callId: z.string(),
    attempt: z.number().int(),
    reason: z.string(),
  }),
  /** How far a tool is, in its own words: content of whoever runs it. */
  z.object({
    type: z.literal('progress'),
    run: z.string(),
    callId: z.string(),
    tool: z.string(),
    text: z.string(),
  }),
]);
export type LiveEvent = z.infer<typeof LiveEvent>;

const KINDS: ReadonlySet<unknown> = new Set(LiveEvent.options.map(({ shape }) => shape.type.value));
const isKnown = (event: unknown) => KINDS.has((event as { type?: unknown } | null)?.type);

/** Kinds that a later version has beside these are passed over. */
export const LiveMessage = z.object({
  v: z.literal(1),
  events: z.preprocess((events) => (Array.isArray(events) ? events.filter(isKnown) : events), z.array(LiveEvent)),
});
export type LiveMessage = z.infer<typeof LiveMessage>;
