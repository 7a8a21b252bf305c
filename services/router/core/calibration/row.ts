/** One labelled ask, as a line of a JSONL file: the request or its features, and which models got it right. */
import { ChatRequest, type ModelTier } from '@tutti/contracts';
import { z } from 'zod';
import { FEATURES, type Feature, featuresOf } from '../difficulty.ts';

/** Right, wrong, or right so often of several tries. */
const Right = z.union([z.boolean(), z.number().min(0).max(1)]).transform(Number);

export const LabelledRow = z
  .strictObject({
    id: z.string().optional(),
    /** Asks of one kind: of one fold in the check. */
    group: z.string().optional(),
    /** What a model was sent. */
    chat: ChatRequest.pick({
      messages: true,
      tools: true,
      passages: true,
      responseFormat: true,
      facts: true,
    }).optional(),
    /** In place of `chat`, as a journal has them (`route.features`). What is left out is 0. */
    features: z.partialRecord(z.enum(FEATURES), z.number()).optional(),
    /** Of each tier that was tried. */
    right: z.strictObject({ small: Right.optional(), medium: Right.optional(), large: Right.optional() }),
    tokens: z.strictObject({ input: z.number().nonnegative(), output: z.number().nonnegative() }).optional(),
    /** What whoever made the ask knows of its difficulty. Only compared with, never fitted to. */
    load: z.number().optional(),
    /** For whoever labels: which answer is right. Not looked at here. */
    expected: z.unknown().optional(),
  })
  .refine(
    ({ chat, features }) => (chat === undefined) !== (features === undefined),
    'needs either `chat` or `features`',
  )
  .refine(({ right }) => Object.values(right).some((value) => value !== undefined), {
    path: ['right'],
    message: 'says of no tier whether it was right',
  });

export interface Row {
  id: string;
  group: string | undefined;
  features: Record<Feature, number>;
  /** 0 to 1 of each tier that is known. */
  right: Partial<Record<ModelTier, number>>;
  tokens: { input: number; output: number };
  load: number | undefined;
}

/** Where a row does not say. */
const TOKENS_TYPICAL = { input: 1_000, output: 300 };

export function rowOf(given: z.input<typeof LabelledRow>, id: string): Row {
  return made(LabelledRow.parse(given), id);
}

function made(row: z.output<typeof LabelledRow>, id: string): Row {
  const none = Object.fromEntries(FEATURES.map((name) => [name, 0])) as Record<Feature, number>;
  const features = row.chat ? featuresOf(row.chat) : { ...none, ...row.features, bias: 1 };
  return {
    id: row.id ?? id,
    group: row.group,
    features,
    right: known(row.right),
    tokens: row.tokens ?? TOKENS_TYPICAL,
    load: row.load,
  };
}

/** What a model got right, better ones are taken to get right; what one got wrong, worse ones are taken to get wrong. */
export function filled(right: Row['right'], tiers: readonly ModelTier[]): Row['right'] {
  const out = { ...right };
  for (const [at, tier] of tiers.entries()) {
    if (right[tier] === 1) for (const better of tiers.slice(at + 1)) out[better] ??= 1;
    if (right[tier] === 0) for (const worse of tiers.slice(0, at)) out[worse] ??= 0;
  }
  return out;
}

function known(right: Row['right']): Row['right'] {
  return Object.fromEntries(Object.entries(right).filter(([, value]) => value !== undefined));
}

const PROBLEMS_SHOWN_MAX = 10;

/** Empty lines are passed over. `problems`: what is wrong, each with its line, the first few of them. */
export function readRows(text: string, file: string): { rows: Row[]; problems: string[] } {
  const rows: Row[] = [];
  const problems: string[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    const place = `${file}:${index + 1}`;
    const parsed = parseLine(line);
    if (typeof parsed === 'string') problems.push(`${place}: ${parsed}`);
    else rows.push(made(parsed, place));
  }
  const more = problems.length - PROBLEMS_SHOWN_MAX;
  return { rows, problems: more > 0 ? [...problems.slice(0, PROBLEMS_SHOWN_MAX), `and ${more} more`] : problems };
}

function parseLine(line: string): z.output<typeof LabelledRow> | string {
  let data: unknown;
  try {
    data = JSON.parse(line);
  } catch (error) {
    return `is no JSON: ${(error as Error).message}`;
  }
  const parsed = LabelledRow.safeParse(data);
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0]!;
  return path.length > 0 ? `${path.join('.')}: ${message}` : message;
}
