/**
 * Results that are too large for a model, kept in full beside what is known of them (`tutti_results`). A reader names one by
 * a short reference that says nothing of it; what is read on carries the label of the whole.
 */
import { z } from 'zod';
import { resultBlob } from './catalogue.ts';
import { contentHash } from './ids.ts';
import { Label } from './labels.ts';

const REFERENCE_HASH_CHARS = 20;
export const ResultReference = z.string().regex(/^res_[0-9a-f]{20}$/, 'must be a reference as an excerpt gives it');

export const KeptResult = z.object({
  v: z.literal(1),
  /** Name of the object with the text, and SHA-256 of its bytes: of no other text is `label` true. */
  blob: z.string(),
  hash: z.string(),
  tool: z.string(),
  label: Label,
  /** Who may read it: the same run, its tree, or its conversation. */
  run: z.string().optional(),
  root: z.string().optional(),
  session: z.string().optional(),
});
export type KeptResult = z.infer<typeof KeptResult>;

export function resultReference(tenant: string, run: string, callId: string): string {
  return `res_${contentHash(resultBlob(tenant, run, callId)).slice(0, REFERENCE_HASH_CHARS)}`;
}

/** Name of the object that says what is known of it. */
export function keptResultBlob(tenant: string, reference: string): string {
  return `${tenant}.${reference}`;
}
