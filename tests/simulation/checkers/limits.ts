/** Whether limits of runs and bounds of partitions were kept. */
import type { RunEntry, RunLimits } from '@tutti/contracts';
import { evolve } from '../../../services/planner/core/evolve.ts';
import { evolvePartition } from '../../../services/planner/core/evolve-partition.ts';
import { emptyState } from '../../../services/planner/core/state.ts';
import type { Checker } from './index.ts';

const runLimits: Checker = {
  name: 'limits',
  check({ evidence }) {
    const problems: string[] = [];
    for (const [run, seen] of evidence.runs) {
      const entries = seen.map(({ entry }) => entry);
      const accepted = entries[0];
      if (accepted?.type !== 'run.accepted') continue;
      for (const [limit, used] of Object.entries(usedBy(entries)))
        if (used > accepted.limits[limit as keyof RunLimits])
          problems.push(`run ${run} used ${used} of ${limit} (${accepted.limits[limit as keyof RunLimits]})`);
    }
    return problems;
  },
};

function usedBy(entries: RunEntry[]): Partial<RunLimits> {
  const used = { stepsMax: 0, modelCallsMax: 0, toolCallsMax: 0, childrenMax: 0, plansMax: 0, journalEntriesMax: 0 };
  used.journalEntriesMax = entries.length;
  for (const entry of entries) {
    if (entry.type === 'step.requested') used.stepsMax += entry.step.kind === 'remember' ? 0 : 1;
    // Calls that came to nothing do not count: steps do.
    if (entry.type === 'step.completed' && entry.result.kind === 'complete') used.modelCallsMax++;
    if (entry.type === 'step.completed' && entry.result.kind === 'execute') used.toolCallsMax++;
    if (entry.type === 'child.started') used.childrenMax++;
    if (entry.type === 'plan.made') used.plansMax++;
    if (entry.type === 'child.ended') {
      used.modelCallsMax += entry.outcome.usage.modelCalls;
      used.toolCallsMax += entry.outcome.usage.toolCalls;
    }
  }
  return used;
}

/** Whatever a run says that it used is what its journal shows. */
const usage: Checker = {
  name: 'usage',
  check({ evidence }) {
    const problems: string[] = [];
    for (const [run, seen] of evidence.runs) {
      const entries = seen.map(({ entry }) => entry);
      const end = entries.at(-1)!;
      if (end.type !== 'run.completed' && end.type !== 'run.failed' && end.type !== 'run.cancelled') continue;
      let [modelCalls, toolCalls, tokens] = [0, 0, 0];
      for (const entry of entries) {
        if (entry.type === 'child.ended') {
          modelCalls += entry.outcome.usage.modelCalls;
          toolCalls += entry.outcome.usage.toolCalls;
          tokens += entry.outcome.usage.inputTokens + entry.outcome.usage.outputTokens;
        }
        if (entry.type !== 'step.completed') continue;
        if (entry.result.kind === 'execute') toolCalls++;
        if (entry.result.kind !== 'complete') continue;
        modelCalls++;
        tokens += entry.result.completion.usage.inputTokens + entry.result.completion.usage.outputTokens;
      }
      const said = end.usage;
      if (
        said.modelCalls !== modelCalls ||
        said.toolCalls !== toolCalls ||
        said.inputTokens + said.outputTokens !== tokens
      )
        problems.push(
          `run ${run} says that it used ${JSON.stringify(said)}; its journal shows ${modelCalls}, ${toolCalls}, ${tokens}`,
        );
    }
    return problems;
  },
};

/** A root run begins only where a place is free: those that work hold one, those that wait do not. */
const admission: Checker = {
  name: 'admission',
  check({ evidence, config, partitions }) {
    const [most, ofTenant] = [config.TUTTI_ACTIVE_RUNS_MAX, config.TUTTI_TENANT_ACTIVE_RUNS_MAX];
    if (Math.min(most, ofTenant) > BOUNDS_WATCHED_MAX) return [];
    const problems: string[] = [];
    const states = Array.from({ length: partitions }, () => emptyState());
    for (const { partition, batch, sequence } of evidence.log) {
      const state = states[partition]!;
      try {
        for (const entry of batch.partition) evolvePartition(state, entry);
        for (const entry of batch.entries) {
          const run = entry.type === 'run.started' ? state.runs.get(entry.run) : undefined;
          // A fork goes on where the other run was: it takes its place at once.
          if (run && run.start.parent === null && !evidence.inPrefix(entry)) {
            const busy = state.tenants.get(run.tenant)?.active ?? 0;
            if (state.activeRoots >= most || busy >= ofTenant)
              problems.push(`run ${run.id} began at ${sequence} beside ${state.activeRoots}, ${busy} of its tenant`);
          }
          evolve(state, entry);
        }
      } catch {
        // A log that cannot be replayed is another checker's.
        return problems;
      }
    }
    return problems;
  },
};
const BOUNDS_WATCHED_MAX = 100;

export const limits = [runLimits, usage, admission];
