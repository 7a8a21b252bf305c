/** What the bundle says of answers beyond who gives them: how well they must be supported, kept for whom, and told what. */
import { z } from 'zod';

/** Of an agent: how much of an answer that was given passages these must say. */
export const GroundingPolicy = z.strictObject({
  /** 0 to 1: the share of the answer, by telling words, that its sources say too. */
  threshold: z.number().min(0).max(1).default(0.6),
  /** A model or route that is asked for a second opinion where words alone say no. */
  judge: z.string().optional(),
  /** When it stays below, asked again and from a better model too. `ask` needs the tool `ask_user`; else as `mark`. */
  otherwise: z.enum(['mark', 'ask', 'fail']).default('mark'),
});
export type GroundingPolicy = z.infer<typeof GroundingPolicy>;

/** Of an agent: answers that may be given again. Off where it is left out. */
export const CachePolicy = z.strictObject({
  ttlMs: z
    .number()
    .int()
    .positive()
    .max(7 * 86_400_000)
    .default(3_600_000),
  /** Requests within such a stretch of time count as made at the same moment. */
  nowWithinMs: z.number().int().positive().max(86_400_000).default(86_400_000),
  /**
   * Questions that mean the same count as the same: single questions without tools only. Needs TUTTI_EMBEDDINGS_MODEL at
   * the router.
   */
  semantic: z.strictObject({ similarity: z.number().min(0.5).max(1).default(0.95) }).optional(),
});
export type CachePolicy = z.infer<typeof CachePolicy>;

/** Of the bundle: what is masked before a request goes to a model that is not cleared for it. Secrets always are. */
export const PrivacyPolicy = z.strictObject({
  mask: z.array(z.enum(['email', 'phone', 'iban', 'card', 'name'])).default(['email', 'phone', 'iban', 'card', 'name']),
  /** People to look for, beside those that a text itself names. */
  names: z.array(z.string().min(3).max(100)).max(1_000).default([]),
  /** Word of the placeholder → regular expression: `CASE: "\\bC-\\d{6}\\b"`. */
  patterns: z.record(z.string().regex(/^[A-Z][A-Z0-9_]{0,30}$/), z.string().min(1).max(500)).default({}),
  /** Models and providers that may see everything but secrets. */
  cleared: z.array(z.string()).default([]),
});
export type PrivacyPolicy = z.infer<typeof PrivacyPolicy>;
