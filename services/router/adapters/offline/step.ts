/** The plan's node: one intended call with what it has, needs and waits for. Owns the shape only; `chain.ts` builds it. */
import type { Filled, Source } from './arguments.ts';
import type { Blocker } from './blockers.ts';
import type { Choice } from './choose.ts';
import type { Clause } from './goal.ts';
import type { Mention } from './mentions.ts';
import type { Parameter } from './parameters.ts';
import type { Observation } from './results.ts';
import type { Tool } from './toolbox.ts';

export type Purpose = 'read' | 'check' | 'prerequisite' | 'effect' | 'undo';

export interface Need {
  readonly parameter: Parameter;
  readonly producer: Step;
}

/** Why a step cannot go on although nothing failed: what it would have taken was not there. */
export type Obstacle =
  | {
      readonly kind: 'nothing';
      readonly observation: Observation;
      readonly choice: Choice | null;
      readonly subject: string | null;
    }
  | {
      readonly kind: 'ambiguous';
      readonly observation: Observation;
      readonly rows: readonly Record<string, unknown>[];
      readonly subject: string;
    }
  | { readonly kind: 'upstream'; readonly step: Step };

export interface Step {
  readonly id: string;
  readonly tool: Tool;
  readonly clause: Clause | null;
  readonly subject: Mention | null;
  purpose: Purpose;
  /** Arguments as far as they are known. */
  args: Record<string, unknown>;
  filled: readonly Filled[];
  needs: Need[];
  missing: Parameter[];
  /** Steps that must be over, and not have said no, before this one may act. */
  after: Step[];
  done: Observation | null;
  failed: Observation | null;
  obstacle: Obstacle | null;
  choices: { readonly observation: Observation; readonly choice: Choice; readonly source: string }[];
  blockers: Blocker[];
  /** A condition that nothing here can judge, as a question to the user. */
  doubt: string | null;
}

export interface Value {
  readonly value: unknown;
  readonly source: Source;
  readonly choice: Choice | null;
  readonly observation: Observation | null;
}

export const isOver = (step: Step): boolean => step.done !== null || step.failed !== null;
