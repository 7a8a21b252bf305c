/**
 * Labels: where a piece of context came from, and who may see it. Each piece carries one; what is made from several
 * carries their join. Invariants: `joinLabels` is a join of a lattice (associative, commutative, idempotent), so that the
 * order in which things were read never matters; nothing ever makes a label better than that of what went into it.
 */
import { z } from 'zod';
import { Name } from './ids.ts';

/** Who could have written it, least trusted first: anybody, a tool that the bundle vouches for, the user, the bundle itself. */
export const Integrity = z.enum(['untrusted', 'tool:trusted', 'user', 'system']);
export type Integrity = z.infer<typeof Integrity>;

/** As a number that policies can compare: 0 untrusted, 1 tool:trusted, 2 user, 3 system. */
export const TRUST: Readonly<Record<Integrity, number>> = { untrusted: 0, 'tool:trusted': 1, user: 2, system: 3 };

/** Names beyond public, internal and secret that one label may hold. Over it the label is `secret` and keeps the first ones. */
export const LABEL_NAMES_MAX = 32;

/**
 * `confidentiality`: what of it must not get out. Empty: it is public. `internal` or `secret` (which is above internal), and
 * any names of the bundle's own (`hr`), which stand beside them. In order, each once.
 */
export const Label = z.object({
  integrity: Integrity,
  confidentiality: z.array(z.string().max(63)).max(LABEL_NAMES_MAX + 2),
});
export type Label = z.infer<typeof Label>;

const label = (integrity: Integrity, ...confidentiality: string[]): Label =>
  Object.freeze({ integrity, confidentiality: Object.freeze(confidentiality) as string[] });

/** What the bundle and Tutti itself say. */
export const SYSTEM_LABEL = label('system');
/** What the user says, unless the agent's manifest has another word for it. */
export const USER_LABEL = label('user');
/** Of a tool's result that says nothing of itself. */
export const RESULT_LABEL = label('untrusted');
/** Of a passage whose collection says nothing of itself. */
export const PASSAGE_LABEL = label('untrusted', 'internal');
/** Of what was stored before there were labels. */
export const UNLABELLED = label('untrusted', 'internal');

export function isMoreTrusted(a: Integrity, b: Integrity): boolean {
  return TRUST[a] > TRUST[b];
}

/** The label of what is made from both. `a` itself where `b` adds nothing. */
export function joinLabels(a: Label, b: Label): Label {
  if (a === b) return a;
  const integrity = isMoreTrusted(a.integrity, b.integrity) ? b.integrity : a.integrity;
  const confidentiality = joinNames(a.confidentiality, b.confidentiality);
  if (integrity === a.integrity && confidentiality === a.confidentiality) return a;
  return { integrity, confidentiality };
}

function joinNames(a: string[], b: string[]): string[] {
  const known = (name: string) => a.includes(name) || (name === 'internal' && a.includes('secret'));
  return b.every(known) ? a : namesOf([...a, ...b]);
}

/** In order, each once, without what is implied. */
function namesOf(names: string[]): string[] {
  const all = new Set(names);
  all.delete('public');
  const own = [...all].filter((name) => name !== 'internal' && name !== 'secret').sort();
  const level =
    all.has('secret') || own.length > LABEL_NAMES_MAX ? ['secret'] : all.has('internal') ? ['internal'] : [];
  return [...level, ...own.slice(0, LABEL_NAMES_MAX)];
}

/** Whether data of this confidentiality may go to somebody who is cleared for these; `all`: for everything. */
export function mayFlow(confidentiality: string[], clearance: string[] | 'all'): boolean {
  if (clearance === 'all') return true;
  return confidentiality.every(
    (name) => clearance.includes(name) || (name === 'internal' && clearance.includes('secret')),
  );
}

/** In manifests: `public`, `internal`, `secret`, a name of your own, or several of them. */
export const Confidentiality = z
  .union([Name, z.array(Name).max(LABEL_NAMES_MAX)])
  .describe('public, internal, secret, a name of your own, or a list of them');
export type Confidentiality = z.infer<typeof Confidentiality>;

export function confidentialityOf(declared: Confidentiality): string[] {
  return namesOf(typeof declared === 'string' ? [declared] : declared);
}

/** What a manifest says of content: of what an agent's users say, of a collection's documents. */
export const ContentLabels = z.strictObject({
  integrity: Integrity.optional(),
  confidentiality: Confidentiality.optional(),
});
export type ContentLabels = z.infer<typeof ContentLabels>;

/** The declared label, and where it is silent the default. */
export function labelFrom(declared: ContentLabels | undefined, byDefault: Label): Label {
  if (declared?.integrity === undefined && declared?.confidentiality === undefined) return byDefault;
  const { integrity = byDefault.integrity, confidentiality } = declared;
  return {
    integrity,
    confidentiality: confidentiality === undefined ? byDefault.confidentiality : confidentialityOf(confidentiality),
  };
}

/** What a bundle says of a tool, or of all tools of a source. */
export const ToolLabels = z.strictObject({
  /** Of its results; said of a source, also of the names and descriptions that it offers. `untrusted` where left out. */
  integrity: Integrity.optional(),
  /** Of its results. Public where left out. */
  confidentiality: Confidentiality.optional(),
  /**
   * The least integrity of what led to a call, for it to go without a human. `tool:trusted` for what is irreversible,
   * `untrusted` (no matter what) for everything else.
   */
  needs: Integrity.optional(),
  /**
   * What may be among the data that led to a call, for it to go without a human: whoever is behind the tool may learn it.
   * `all`: nothing leaves. `internal` for pure tools and `public` for all others where left out.
   */
  clearance: z.union([z.literal('all'), Confidentiality]).optional(),
});
export type ToolLabels = z.infer<typeof ToolLabels>;

export interface ToolTrust {
  /** Of its results. */
  label: Label;
  /** Least integrity of what led to a call; undefined: what its effect kind says. */
  needs: Integrity | undefined;
  clearance: string[] | 'all' | undefined;
}

/** What is said of a tool, put together. `declared`: the most particular first (the tool, then its source). */
export function toolTrust(...declared: (ToolLabels | undefined)[]): ToolTrust {
  const first = <K extends keyof ToolLabels>(key: K): ToolLabels[K] =>
    declared.find((labels) => labels?.[key] !== undefined)?.[key];
  const clearance = first('clearance');
  return {
    label: labelFrom({ integrity: first('integrity'), confidentiality: first('confidentiality') }, RESULT_LABEL),
    needs: first('needs'),
    clearance: clearance === undefined || clearance === 'all' ? clearance : confidentialityOf(clearance),
  };
}

/** The label of a collection's passages, as a bundle has it. */
export function collectionLabel(
  collections: Record<string, { labels?: ContentLabels | undefined }> | undefined,
  name: string | undefined,
): Label {
  if (!collections || name === undefined || !Object.hasOwn(collections, name)) return PASSAGE_LABEL;
  return labelFrom(collections[name]!.labels, PASSAGE_LABEL);
}
