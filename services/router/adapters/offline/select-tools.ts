/** Which tools a goal calls for, clause by clause: acts first, then what is to be looked up. */
import { type Clause, effectClauses } from './goal.ts';
import { selectEffects } from './select-effects.ts';
import { selectForPlan, selectReads } from './select-reads.ts';
import type { Situation } from './situation.ts';
import type { Target } from './tool-score.ts';

export { effectScore, objectStemsOf } from './select-effects.ts';
export { selectReads } from './select-reads.ts';

export interface Selection {
  readonly effects: readonly Target[];
  readonly reads: readonly Target[];
  readonly unmatched: readonly Clause[];
}

export function selectTargets(situation: Situation): Selection {
  const goal = situation.goal;
  const own = situation.ownTask.at(-1);
  const [clause] = goal.clauses;
  if (own && clause && !situation.readOnly) {
    const target = { tool: own, clause };
    return { effects: own.effectful ? [target] : [], reads: own.effectful ? [] : [target], unmatched: [] };
  }
  const effects: Target[] = [];
  const unmatched: Clause[] = [];
  const reads: Target[] = [];
  if (!situation.readOnly && !situation.amend)
    for (const clause of effectClauses(goal)) {
      const found = selectEffects(situation, clause);
      if (found.length === 0) unmatched.push(clause);
      effects.push(...found);
    }
  for (const clause of goal.clauses) {
    if (clause.effect && !situation.readOnly) continue;
    if (clause.condition || clause.negated) continue;
    const found = selectReads(situation, clause);
    for (const target of found)
      if (!reads.some((one) => one.tool === target.tool && one.clause === target.clause)) reads.push(target);
    if (clause.verbClass === 'plan')
      for (const target of selectForPlan(situation, clause, new Set(reads.map((one) => one.tool.name))))
        reads.push(target);
  }
  return { effects, reads: dedupe(reads), unmatched };
}

/** Two clauses about one thing ("Find X. It must be under 40.") call its tool once. */
function dedupe(targets: readonly Target[]): Target[] {
  return targets.filter(
    (target, index) =>
      !targets
        .slice(0, index)
        .some((one) => one.tool === target.tool && target.clause.verb === '' && !target.clause.question),
  );
}
