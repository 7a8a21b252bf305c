/**
 * What memory shows of a run is what its owner shows: both are made of the same entries, by different code. Compared after
 * every message of the log of many worlds: status, what is waited for, the question, usage, all of the view.
 */
import { LogBatch, RunEntry, type RunView } from '@tutti/contracts';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { project } from '../../services/memory/core/project.ts';
import type { RunState as Projected } from '../../services/memory/core/run-state.ts';
import { approvalOf, questionOf, type RunLog, runLog } from '../../services/memory/testing/entries.ts';
import { evolve } from '../../services/planner/core/evolve.ts';
import { applyBatch } from '../../services/planner/core/replay.ts';
import { emptyState, type PartitionState } from '../../services/planner/core/state.ts';
import { viewOf } from '../../services/planner/core/view.ts';
import type { SeenBatch } from './evidence.ts';
import { simulate } from './simulate.ts';

const SEEDS = 120;

class Both {
  readonly #owners = new Map<number, PartitionState>();
  readonly #projected = new Map<string, Projected>();
  readonly differences: string[] = [];
  readonly waits = new Map<string, number>();
  compared = 0;

  saw({ partition, batch, sequence }: SeenBatch): void {
    const owner = this.#owner(partition);
    // As both read it: through the schema, each with a copy of its own.
    const text = JSON.stringify(batch);
    applyBatch(owner, LogBatch.parse(JSON.parse(text)));
    const { entries } = LogBatch.parse(JSON.parse(text));
    for (const entry of entries) {
      const after = project(this.#projected.get(entry.run) ?? null, entry);
      if (after) this.#projected.set(entry.run, after.state);
      else this.differences.push(`${entry.run}: memory cannot place entry ${entry.n} (${entry.type})`);
    }
    for (const run of new Set(entries.map((entry) => entry.run))) this.#compare(owner, run, `message ${sequence}`);
  }

  #owner(partition: number): PartitionState {
    const known = this.#owners.get(partition) ?? emptyState();
    this.#owners.set(partition, known);
    return known;
  }

  #compare(owner: PartitionState, id: string, where: string): void {
    const run = owner.runs.get(id);
    const memory = this.#projected.get(id)?.view;
    if (!run || !memory) return;
    this.compared++;
    const view = comparable(viewOf(run));
    const waits = `${view.status} ${view.waitingFor}`;
    this.waits.set(waits, (this.waits.get(waits) ?? 0) + 1);
    const other = comparable(memory);
    for (const field of Object.keys(view) as (keyof RunView)[])
      if (JSON.stringify(view[field]) !== JSON.stringify(other[field]))
        this.differences.push(
          `${id} after ${where}, ${field}: the owner says ${JSON.stringify(view[field])}, memory ${JSON.stringify(other[field])}`,
        );
  }
}

/** Left out and null are the same to whoever reads it. */
function comparable(view: RunView): RunView {
  return { ...view, waitingFor: view.waitingFor ?? null, question: view.question ?? null };
}

test(`memory and the owner say the same of every run in ${SEEDS} worlds`, { timeout: 600_000 }, async () => {
  const seen = new Map<string, number>();
  let compared = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const both = new Both();
    await simulate({ seed, saw: (batch) => both.saw(batch) });
    expect(both.differences.slice(0, 3), `seed ${seed}`).toEqual([]);
    compared += both.compared;
    for (const [waits, times] of both.waits) seen.set(waits, (seen.get(waits) ?? 0) + times);
  }
  // That they agreed must not be because nothing happened.
  expect(compared).toBeGreaterThan(SEEDS * 20);
  for (const waits of ['waiting approval', 'waiting input', 'waiting timer', 'running null', 'completed null'])
    expect(seen.get(waits) ?? 0, waits).toBeGreaterThan(SEEDS / 10);
});

/** Two children, calls of the run's own, and what may happen to them in any order. */
const CHILDREN = [runLog(), runLog()];
const Happening = fc.oneof(
  fc.record({
    what: fc.constant('waits' as const),
    child: fc.nat(1),
    of: fc.subarray(['approval', 'question', 'sleep']),
  }),
  fc.record({ what: fc.constant('child ends' as const), child: fc.nat(1) }),
  fc.record({ what: fc.constantFrom('step', 'question', 'sleep', 'approval' as const), call: fc.nat(1) }),
);

/** Begins what has not begun, ends what is under way. */
function happen(log: RunLog, now: Set<string>, happening: typeof Happening extends fc.Arbitrary<infer T> ? T : never) {
  if (happening.what === 'waits' || happening.what === 'child ends') {
    const child = CHILDREN[happening.child]!;
    if (now.has(`${child.run} ended`)) return;
    if (happening.what === 'child ends') {
      now.add(`${child.run} ended`);
      const usage = { modelCalls: 1, toolCalls: 2, inputTokens: 3, outputTokens: 4, costUsd: 0.5 };
      const outcome = {
        child: child.run,
        callId: `call-${happening.child}`,
        output: '',
        actions: [],
        passages: [],
        usage,
      };
      return log.add({ type: 'child.ended', task: '', outcome: { ...outcome, status: 'completed' } });
    }
    const waits = new Set(happening.of);
    const step = log.entries.length;
    return log.add({
      type: 'child.waiting',
      child: child.run,
      version: step,
      approvals: waits.has('approval') ? [approvalOf(child.run, child.session, step, log.run)] : [],
      questions: waits.has('question') ? [questionOf(child.run, child.session, step, log.run)] : [],
      ...(waits.has('sleep') ? { sleepsUntil: step } : {}),
    });
  }
  const { what, call } = happening;
  const key = `${what} ${call}`;
  const callId = `own-${what}-${call}`;
  const question = { ...questionOf(log.run, log.session, 100 + call), callId };
  if (now.has(`${key} over`)) return;
  if (!now.has(key)) {
    now.add(key);
    if (what === 'step') return log.asks(10 + call);
    if (what === 'question') return log.add({ type: 'question.asked', question });
    if (what === 'sleep') return log.add({ type: 'sleep.started', callId, until: 5 });
    return log.executes(20 + call).wantsApproval(20 + call);
  }
  now.add(`${key} over`);
  if (what === 'step') return log.recalled(10 + call);
  if (what === 'sleep') return log.add({ type: 'sleep.ended', callId });
  if (what === 'approval') return log.decides(20 + call, call === 0 ? 'approved' : 'denied');
  return log.add({ type: 'question.answered', question: question.id, outcome: 'answered', text: 'x', by: 'ann' });
}

test('whatever a run and those below it wait for, in whatever order', () => {
  fc.assert(
    fc.property(fc.array(Happening, { minLength: 5, maxLength: 30 }), (happenings) => {
      const log = runLog().started().asks(1);
      const calls = ['question', 'sleep'].flatMap((what) => [0, 1].map((call) => `own-${what}-${call}`));
      const toolCalls = ['call-0', 'call-1', ...calls].map((id) => ({ id, name: 'tool', arguments: {} }));
      const thinking = runLog().completes(1).entries.slice(-2);
      for (const { run: _run, n: _n, at: _at, ...entry } of thinking)
        log.add(
          entry.type === 'step.completed' && entry.result.kind === 'complete'
            ? {
                ...entry,
                result: {
                  ...entry.result,
                  completion: { ...entry.result.completion, message: { role: 'assistant', content: null, toolCalls } },
                },
              }
            : entry,
        );
      for (const [i, child] of CHILDREN.entries()) {
        const [accepted] = child.entries;
        if (accepted?.type !== 'run.accepted') throw new Error('no start');
        const { session, start } = accepted;
        log.add({
          type: 'child.started',
          callId: `call-${i}`,
          child: child.run,
          session,
          task: '',
          kind: 'call',
          start,
        });
      }
      log.recalled(1);
      const now = new Set<string>();
      for (const happening of happenings) happen(log, now, happening);
      const state = emptyState();
      let projected: Projected | null = null;
      for (const entry of log.entries) {
        evolve(state, RunEntry.parse(structuredClone(entry)));
        projected = project(projected, entry)!.state;
        expect(comparable(projected.view), `after ${entry.n} ${entry.type}`).toEqual(
          comparable(viewOf(state.runs.get(log.run)!)),
        );
      }
    }),
    { numRuns: 300, seed: 4 },
  );
});
