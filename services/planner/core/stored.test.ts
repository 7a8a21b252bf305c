/** States that earlier versions stored: they are read, and what was under way in them goes on. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { loadSegment } from '../shell/segments.ts';
import { testBundle, tool } from '../test-support.ts';
import { Decider, type Environment, type Input, NO_ADMISSION_LIMITS } from './decide.ts';
import { loadParked, loadState, NewerState, StateLoader, saveState } from './save.ts';
import { type ActiveRun, type PartitionState, pendingApprovals } from './state.ts';

const fixture = (name: string) => readFileSync(new URL(`../fixtures/${name}`, import.meta.url), 'utf8');
const bundle = testBundle({ strategy: 'plan', knowledge: [] });
bundle.agents.solo = { ...bundle.agents.helper!, name: 'solo', strategy: 'react' };
const env: Environment = {
  now: 1_800_000_100_000,
  bundle: () => bundle,
  admission: NO_ADMISSION_LIMITS,
  nextTick: () => null,
};
const id = (n: number) => `run_01m81xkkpzetrsnk67wkywf${n}ht`;
const session = (n: number) => id(n).replace('run_', 'ses_');

function take(state: PartitionState, ...inputs: Input[]): Decider {
  const decider = new Decider(state, env);
  for (const input of inputs) decider.take(input);
  return decider;
}
const active = (state: PartitionState, n: number) => state.runs.get(id(n)) as ActiveRun;

describe('a checkpoint of version 1', () => {
  const load = () => loadState(fixture('checkpoint.v1.json'));

  test('has the runs as they were', () => {
    const state = load();
    expect([0, 1, 2, 3, 4].map((n) => state.runs.get(id(n))?.status)).toEqual([
      'completed',
      'waiting',
      'running',
      'queued',
      'running',
    ]);
    expect(pendingApprovals(active(state, 1))).toMatchObject([{ tool: 'act', arguments: { price: 1 } }]);
    expect(active(state, 1).limits).toMatchObject({ modelCallsMax: 40, plansMax: 3 });
    expect(Object.values(active(state, 2).children)).toMatchObject([{ task: 'a', kind: 'task', waiting: null }]);
    expect(loadState(saveState(state)).due.all()).toEqual(expect.arrayContaining(state.due.all()));
  });

  test('goes on: an approval is decided, a child ends, a retry comes due, the next of a session begins', () => {
    const state = load();
    const approval = pendingApprovals(active(state, 1))[0]!.id;
    const base = { v: 1 as const, tenant: 'acme', at: 1 };
    const decided = take(state, {
      kind: 'inbound',
      sequence: 100,
      message: {
        ...base,
        type: 'approve',
        session: session(1),
        run: id(1),
        approval,
        decision: 'approve',
        by: 'ann',
      },
    });
    expect(decided.toSend).toEqual([{ run: id(1), callId: Object.keys(active(state, 1).open)[0] }]);
    const [child] = Object.values(active(state, 2).children);
    const usage = { modelCalls: 1, toolCalls: 1, inputTokens: 1, outputTokens: 1, costUsd: 0 };
    take(state, {
      kind: 'inbound',
      sequence: 101,
      message: {
        ...base,
        type: 'child_ended',
        session: session(2),
        run: id(2),
        outcome: {
          child: child!.id,
          callId: '',
          status: 'completed',
          output: 'found',
          actions: [],
          passages: [],
          usage,
        },
      },
    });
    expect(active(state, 2).tasks.map((task) => task.status)).toEqual(['completed', 'running']);
    expect(take(state, { kind: 'tick' }).toSend.map(({ run }) => run)).toContain(id(4));
    take(state, {
      kind: 'inbound',
      sequence: 102,
      message: { ...base, type: 'cancel', session: session(1), run: id(1), by: 'ann', reason: 'enough' },
    });
    expect(state.runs.get(id(1))?.status).toBe('cancelled');
    expect(state.runs.get(id(3))?.status).toBe('running');
  });

  test('of a later version is refused', () => {
    expect(() => loadState('{"head":{"v":99},"runs":[]}')).toThrow(/version 99/);
  });
});

describe('a checkpoint of version 2', () => {
  const load = () => loadState(fixture('checkpoint.v2.json'));
  /** Unpacked: its index, a line feed, its texts. */
  const part = () => {
    const [index, texts] = fixture('checkpoint.v3.part.txt').split(/\n(.*)/s) as [string, string];
    return { index, texts: () => new TextEncoder().encode(texts) };
  };

  test('has what was parked, who waits for whom, and everything that comes due', () => {
    const state = load();
    expect([...state.runs.briefs()].map(({ brief, run }) => (brief ?? run).status)).toEqual([
      'completed',
      'running',
      'waiting',
      'queued',
      'running',
      'waiting',
      'queued',
    ]);
    expect([...state.parked.keys()]).toEqual([id(1), id(2)]);
    expect([...state.approvals.values()].sort()).toEqual([id(1), id(4)]);
    expect(state.sessions.get(`acme/${session(3)}`)).toEqual({ active: [id(3)], queue: [id(5)] });
    expect(state.sessions.get(`acme/${session(4)}`)).toEqual({ active: [id(4), id(6)], queue: [] });
    expect(state.sessions.get(`acme/${session(8)}`)).toEqual({ active: [id(8)], queue: [] });
    expect([...state.tenants].map(([name, { active, queued }]) => [name, active, queued])).toEqual([
      ['acme', 2, 1],
      ['other', 0, 1],
    ]);
    expect(
      state.due
        .all()
        .map(({ kind, owner }) => `${kind} ${owner.at(-3)}`)
        .sort(),
    ).toEqual(['approval 1', 'approval 4', 'question 2', 'sleep 8', 'wall 3', 'wall 6']);
  });

  test('and one of version 3 of the same moment give the same state', () => {
    const loader = new StateLoader(fixture('checkpoint.v3.head.json'));
    const sizes = loadSegment(part(), loader);
    expect(sizes.map(([run]) => run).sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8].map(id));
    const state = loader.done();
    expect(state.due.all()).toEqual(expect.arrayContaining(load().due.all()));
    expect(saveState(state)).toBe(saveState(load()));
  });

  test('its runs, which nobody labelled or counted, count as what they have read and done', () => {
    const state = load();
    const runs = [3, 4, 6].map((n) => active(state, n));
    for (const { label, did, actions, open, held, interrupted, start, recall, passages } of runs) {
      const told = interrupted.length > 0 || start.parent !== null || (recall?.turns ?? []).length > 0;
      const read = told || actions.length > 0 || passages.length > 0;
      expect(label.integrity).toBe(read ? 'untrusted' : 'user');
      const steps = [...Object.values(open), ...Object.values(held)];
      const calls = actions.length + steps.filter(({ step }) => step.kind === 'execute').length;
      expect(did).toMatchObject({ calls });
    }
    expect(runs.some(({ did }) => did.calls > 0)).toBe(true);
  });

  test('of a later version is refused as such, its runs too', () => {
    expect(() => new StateLoader('{"v":4}')).toThrow(NewerState);
    const loader = new StateLoader(fixture('checkpoint.v3.head.json'));
    const { index, texts } = part();
    expect(() => loadSegment({ index: index.replace('{"v":2', '{"v":4'), texts }, loader)).toThrow(NewerState);
    expect(() => loadParked({ v: 4, run: {} })).toThrow(NewerState);
  });
});

test('tools that a run may use are there for a state that knows its toolset', () => {
  const state = loadState(fixture('checkpoint.v1.json'));
  expect(state.toolsets.get('toolset-1')).toMatchObject([{ name: 'look' }, { name: tool('act').name }]);
});
