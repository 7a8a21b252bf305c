/** Tool definitions that a partition knows: stored once, named by hash, kept as long as a run needs them. */
import { contentHash } from '@tutti/contracts';
import { expect, test } from 'vitest';
import { toolsOf } from './requests.ts';
import { STATE_LIMITS } from './state.ts';
import { tool } from './test-kit/parts.ts';
import { Spec } from './test-kit/spec.ts';

/** A run that has just been told its tools, in the version of the day. */
function described(spec: Spec, version: number): string {
  const run = spec.start('a');
  const tools = [tool('look'), { ...tool('act', 'irreversible'), description: `version ${version}` }];
  for (const { callId, step } of spec.open(run)) {
    if (step.kind === 'recall') spec.result(run, callId, { turns: [], summary: null, facts: [] });
    if (step.kind === 'describe') spec.result(run, callId, { hash: contentHash(tools), tools, problems: [] });
  }
  return run;
}
const end = (spec: Spec, run: string) => spec.tell(run, { type: 'cancel', by: 'ann', reason: '' });

test('listings that change every day do not pile up; what a run uses stays, also while it is written out', () => {
  const spec = new Spec({ a: { tools: ['*', 'sleep'] } }, { parkAfterMs: 1_000 });
  const active = described(spec, -1);
  const parked = described(spec, -2);
  const used = [active, parked].map((run) => spec.active(run).toolset!);
  spec.model(parked, null, ['sleep', { seconds: 60 }]);
  spec.park(parked);
  for (let day = 0; day < 2 * STATE_LIMITS.toolsetsMax; day++) end(spec, described(spec, day));
  expect(spec.state.toolsets.size).toBeLessThanOrEqual(STATE_LIMITS.toolsetsMax + used.length + 1);
  expect(used.every((hash) => spec.state.toolsets.has(hash))).toBe(true);
  spec.takeOver('checkpoint');
  expect(used.every((hash) => spec.state.toolsets.has(hash))).toBe(true);
  spec.pass(60_000);
  expect(toolsOf(spec.state, spec.active(parked), spec.bundle.agents.a).map(({ name }) => name)).toContain('act');
});

test('a listing that was dropped and is named again is asked for again', () => {
  const spec = new Spec({ a: {} });
  const run = spec.start('a');
  const describe = spec.open(run).find(({ step }) => step.kind === 'describe')!;
  spec.result(run, describe.callId, { hash: 'gone', problems: [] });
  expect(spec.story).toEqual(['step.retried 1']);
  expect(spec.pass(10_000).toSend).toEqual([{ run, callId: describe.callId }]);
});
