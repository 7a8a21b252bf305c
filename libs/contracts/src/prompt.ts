/**
 * Prompts of a bundle: templates (Liquid) with typed placeholders. A value that comes from a user or a document is never
 * put into the instructions: its place names it, and the value travels beside them as data.
 */
import { z } from 'zod';
import { Name } from './ids.ts';

export const PROMPT_CHARS_MAX = 200_000;
export const PROMPT_VALUE_CHARS_MAX = 20_000;

const base = {
  description: z.string().default(''),
  /** Without a value it is left empty (`{% if name %}` tells). */
  required: z.boolean().default(true),
  /**
   * Who the value is from. `operator`: part of the instructions. `user`, `document`: data, whatever it says.
   */
  from: z.enum(['operator', 'user', 'document']).default('operator'),
};
export const Placeholder = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('text'),
    charsMax: z.number().int().positive().max(PROMPT_VALUE_CHARS_MAX).default(2_000),
    default: z.string().optional(),
    ...base,
  }),
  z.strictObject({ type: z.literal('number'), default: z.number().optional(), ...base }),
  z.strictObject({ type: z.literal('integer'), default: z.number().int().optional(), ...base }),
  z.strictObject({ type: z.literal('boolean'), default: z.boolean().optional(), ...base }),
  /** `2026-11-26`. */
  z.strictObject({ type: z.literal('date'), default: z.iso.date().optional(), ...base }),
  z.strictObject({
    type: z.literal('choice'),
    choices: z.array(z.string()).min(1),
    default: z.string().optional(),
    ...base,
  }),
  /** Texts. */
  z.strictObject({
    type: z.literal('list'),
    itemsMax: z.number().int().positive().default(100),
    default: z.array(z.string()).optional(),
    ...base,
  }),
]);
export type Placeholder = z.infer<typeof Placeholder>;

export const PlaceholderName = z.string().regex(/^[a-z][a-z0-9_]{0,62}$/, 'must be a-z, 0-9 and "_", from a letter');
/** `de`, `de-AT`. */
export const Locale = z.string().regex(/^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$/);

export const PromptManifest = z.strictObject({
  /** The author's own count; what tells two versions apart for sure is the hash of what was rendered. */
  version: z.string().min(1).max(40).default('1'),
  description: z.string().default(''),
  text: z.string().min(1).max(PROMPT_CHARS_MAX),
  /** The same in other languages, with the same placeholders. */
  locales: z.record(Locale, z.string().min(1).max(PROMPT_CHARS_MAX)).default({}),
  placeholders: z.record(PlaceholderName, Placeholder).default({}),
});
export type PromptManifest = z.infer<typeof PromptManifest>;

export const PromptValue = z.union([z.string(), z.number(), z.boolean(), z.array(z.string())]);
export type PromptValue = z.infer<typeof PromptValue>;

/** A prompt of the bundle with what fills it. */
export const PromptUse = z.strictObject({
  name: Name,
  values: z.record(z.string(), PromptValue).default({}),
  /** The prompt's own text where it has none of this language. */
  locale: Locale.optional(),
});
export type PromptUse = z.infer<typeof PromptUse>;

export const RenderBody = z.object({
  /** Hash; the tenant's current one where it is left out. */
  bundle: z.string().optional(),
  prompt: PromptUse,
});
export const RenderResult = z.object({
  name: z.string(),
  version: z.string(),
  /** Of the prompts it is made of, in this language, without values. */
  hash: z.string(),
  /** The variant that was taken; null: the prompt's own text. */
  locale: z.string().nullable(),
  /** The instructions. */
  text: z.string(),
  /** What stays beside them. */
  data: z.array(z.object({ name: z.string(), from: z.enum(['user', 'document']), text: z.string() })),
  tokens: z.number().int(),
});
export type RenderResult = z.infer<typeof RenderResult>;
