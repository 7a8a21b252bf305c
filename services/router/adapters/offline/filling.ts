/** What filling a tool's arguments from words gives. Owns the shape only. */
import type { Rule } from './constraints.ts';
import type { Mention } from './mentions.ts';
import type { Parameter } from './parameters.ts';

export type Source = 'label' | 'text' | 'fact' | 'rule' | 'default' | 'result' | 'given';

export interface Filled {
  readonly parameter: Parameter;
  readonly value: unknown;
  readonly source: Source;
  readonly rule?: Rule;
  readonly fact?: string;
  readonly mention?: Mention;
  readonly score: number;
}

export interface Filling {
  readonly filled: readonly Filled[];
  readonly open: readonly Parameter[];
  readonly used: readonly Mention[];
}

export interface FillOptions {
  /** A tool called only for what it returns: its search words come from the goal's object. */
  readonly prerequisite?: boolean;
  /** The one name that this call is about, where several calls share a tool. */
  readonly subject?: Mention | null;
  /** Entity that the caller of a prerequisite is after. */
  readonly seeking?: string;
}

/** Optional arguments need more evidence than required ones. */
export const SCORE_MIN_REQUIRED = 0.3;
export const SCORE_MIN_OPTIONAL = 0.55;
