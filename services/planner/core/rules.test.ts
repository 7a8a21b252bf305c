/** Limits, sessions, admission, cancelling, dead letters and schedules. */
import { LIMITS, newSessionId, type Schedule, scheduleIdFor } from '@tutti/contracts';
import { describe, expect, test } from 'vitest';
import { Spec } from './test-kit/spec.ts';

describe('limits', () => {
  const limited = (limits: object) => {
    const spec = new Spec({ a: { strategy: 'react', limits } });
    const run = spec.start('a');
    return { spec, run };
  };
  const turn = ({ spec, run }: ReturnType<typeof limited>) => {
    spec.model(run, null, ['look', {}]);
    if (spec.state.runs.get(run)!.status === 'running') spec.done(run, spec.open(run)[0]!.callId, 'seen');
  };

  test.each([
    ['modelCallsMax', { modelCallsMax: 1 }],
    ['tokensMax', { tokensMax: 20 }],
    ['costUsdMax', { costUsdMax: 0.01 }],
    ['stepsMax', { stepsMax: 4 }],
    ['journalEntriesMax', { journalEntriesMax: 16 }],
  ])('%s ends the run with its name and what was achieved', (name, limits) => {
    const world = limited(limits);
    world.spec.gather(world.run);
    for (let i = 0; i < 10 && world.spec.state.runs.get(world.run)?.status === 'running'; i++) turn(world);
    const end = world.spec.end(world.run);
    expect(end).toMatchObject({ status: 'failed', error: { code: 'limit_exceeded' } });
    expect(end.error!.message).toContain(name);
    expect(end.output).toContain('look: seen');
  });

  test('toolCallsMax counts calls that wait for their approval', () => {
    const { spec, run } = limited({ toolCallsMax: 1 });
    spec.gather(run).model(run, null, ['act', {}], ['look', {}]);
    expect(spec.end(run).error!.message).toContain('toolCallsMax');
  });

  test('wallTimeMs', () => {
    const { spec, run } = limited({ wallTimeMs: 5_000 });
    spec.pass(4_999);
    expect(spec.active(run).status).toBe('running');
    spec.pass(1);
    expect(spec.end(run).error!.message).toContain('wallTimeMs');
  });

  test('a request lowers what its agent allows, and raises nothing', () => {
    const spec = new Spec({ a: { limits: { modelCallsMax: 10, tokensMax: 100 } } });
    const run = spec.start('a', { limits: { modelCallsMax: 3, tokensMax: 1_000 } });
    expect(spec.active(run).limits).toMatchObject({ modelCallsMax: 3, tokensMax: 100 });
  });
});

describe('a session that is busy', () => {
  const busy = (whenBusy?: 'queue' | 'reject' | 'interrupt' | 'parallel') => {
    const spec = new Spec({ a: { strategy: 'direct', tools: [] } });
    const session = newSessionId();
    const first = spec.start('a', { session, input: 'first' });
    const second = spec.start('a', { session, input: 'second', ...(whenBusy ? { whenBusy } : {}) });
    return { spec, session, first, second };
  };
  const finish = (spec: Spec, run: string) => {
    spec.gather(run).model(run, 'ok');
    spec.remember(run);
  };

  test('queue: one after the other, in order', () => {
    const { spec, session, first, second } = busy();
    const third = spec.start('a', { session });
    expect([second, third].map((run) => spec.state.runs.get(run)!.status)).toEqual(['queued', 'queued']);
    finish(spec, first);
    expect(spec.active(second).status).toBe('running');
    spec.tell(third, { type: 'cancel', by: 'ann', reason: '' });
    finish(spec, second);
    expect(spec.end(third).status).toBe('cancelled');
    expect(spec.state.sessions.size).toBe(0);
  });
  test('reject', () => {
    const { spec, first, second } = busy('reject');
    expect(spec.end(second)).toMatchObject({ status: 'failed', error: { code: 'conflict' } });
    expect(spec.active(first).status).toBe('running');
  });
  test('interrupt: the one before is cancelled, and is part of the context', () => {
    const { spec, first, second } = busy('interrupt');
    expect(spec.end(first).status).toBe('cancelled');
    expect(spec.active(second).interrupted).toMatchObject([{ run: first, input: 'first' }]);
  });
  test('parallel', () => {
    const { spec, first, second } = busy('parallel');
    expect([spec.active(first).status, spec.active(second).status]).toEqual(['running', 'running']);
  });
});

describe('admission', () => {
  const counting = (admission: object) => new Spec({ a: { strategy: 'direct', tools: [] } }, admission);
  const running = (spec: Spec) => [...spec.state.runs.values()].filter((run) => run.status === 'running');

  test('a tenant with 10,000 queued runs does not delay another’s first', () => {
    const spec = counting({ activeRunsMax: 2, checked: false });
    for (let i = 0; i < 10_000; i++) spec.start('a', { tenant: 'many' });
    const one = spec.start('a', { tenant: 'few' });
    expect(running(spec)).toHaveLength(2);
    const next = running(spec)[0]!.id;
    spec.gather(next).model(next, 'ok');
    spec.remember(next);
    expect(spec.active(one).status).toBe('running');
  });

  test('a tenant has its own bound, and more than may wait is refused with when to come back', () => {
    const spec = counting({ tenantActiveRunsMax: 1, queuedRunsMax: 2 });
    const runs = Array.from({ length: 4 }, () => spec.start('a', { tenant: 'many' }));
    const other = spec.start('a', { tenant: 'few' });
    expect(running(spec).map(({ id }) => id)).toEqual([runs[0], other]);
    expect(spec.end(runs[3]!).error).toMatchObject({ code: 'overloaded', retryAfterMs: LIMITS.overloadedRetryMs });
  });

  test('a run that waits gives its place away', () => {
    const spec = new Spec({ a: { strategy: 'react', tools: ['*', 'sleep'] } }, { activeRunsMax: 1 });
    const first = spec.start('a');
    const second = spec.start('a');
    expect(spec.state.runs.get(second)!.status).toBe('queued');
    spec.gather(first).model(first, null, ['sleep', { seconds: 60 }]);
    expect(spec.active(second).status).toBe('running');
  });
});

describe('cancel', () => {
  test('reaches what is open and every child, and ends at once', () => {
    const spec = new Spec({ a: { strategy: 'react', agents: ['helper'] } });
    const run = spec.start('a');
    spec.gather(run).model(run, null, ['look', {}], ['delegate', { agent: 'helper', task: 'x' }]);
    const [child] = spec.children(run);
    const look = spec.open(run)[0]!.callId;
    spec.tell(run, { type: 'cancel', by: 'ann', reason: 'enough' });
    expect(spec.end(run).status).toBe('cancelled');
    expect(spec.last.forgotten.map(({ callId }) => callId)).toEqual([look]);
    expect(spec.letters(`cancel:${child}`)).toHaveLength(1);
  });

  test('what a call came to afterwards is written down, and changes nothing', () => {
    const spec = new Spec({ a: { strategy: 'react' } });
    const run = spec.start('a');
    spec.gather(run).model(run, null, ['act', {}]);
    const act = spec.open(run)[0]!.callId;
    spec.tell(run, { type: 'cancel', by: 'ann', reason: '' });
    spec.done(run, act, 'it happened');
    expect(spec.last.partitionEntries).toMatchObject([
      { type: 'result.late', run, callId: act, ok: true, content: 'it happened' },
    ]);
    expect(spec.last.entries).toEqual([]);
    spec.done(run, act, 'again');
    expect(spec.last.partitionEntries).toEqual([]);
  });

  test('that comes before the start keeps the run from beginning', () => {
    const spec = new Spec({ a: {} });
    const session = newSessionId();
    const run = session.replace('ses_', 'run_');
    spec.inbound({ v: 1, type: 'cancel', tenant: 'default', session, run, at: 1, by: 'ann', reason: '' });
    expect(spec.last.partitionEntries).toMatchObject([{ type: 'run.barred', run }]);
  });
});

describe('a step that keeps failing', () => {
  test('is tried again under its id, then is a dead letter that says where a fork begins', () => {
    const spec = new Spec({ a: { strategy: 'direct', tools: [] } });
    const run = spec.start('a');
    spec.gather(run);
    const { callId, n } = spec.open(run)[0]!;
    for (let i = 1; i < LIMITS.stepAttemptsMax; i++) {
      spec.fail(run, 'timeout', true);
      expect(spec.pass(20_000).toSend).toEqual([{ run, callId }]);
    }
    spec.fail(run, 'timeout', true);
    expect(spec.end(run)).toMatchObject({
      status: 'failed',
      error: { message: expect.stringContaining('asking a model') },
    });
    expect(spec.letters('dead:')).toMatchObject([{ letter: { kind: 'step', run, callId, version: n } }]);
  });

  test('one that can never work fails at once, and is no dead letter', () => {
    const spec = new Spec({ a: { strategy: 'direct', tools: [] } });
    const run = spec.start('a');
    spec.gather(run);
    spec.fail(run, 'internal', false);
    expect(spec.end(run).status).toBe('failed');
    expect(spec.letters('dead:')).toEqual([]);
  });
});

describe('a schedule', () => {
  const MINUTE = 60_000;
  const set = (more: Partial<Schedule> = {}) => {
    const spec = new Spec({ a: { strategy: 'direct', tools: [] } });
    const id = scheduleIdFor('default', 'nightly');
    const schedule: Schedule = {
      id,
      name: 'nightly',
      timing: { type: 'cron', cron: '* * * * *', timeZone: 'UTC' },
      agent: 'a',
      input: 'tick',
      session: null,
      limits: {},
      principal: { id: 'ann', roles: [] },
      missed: 'skip',
      graceMs: 10_000,
      overlap: 'skip',
      paused: false,
      ...more,
    };
    spec.inbound({ v: 1, type: 'schedule_set', tenant: 'default', session: id, run: id, at: spec.now, schedule });
    const known = () => spec.state.schedules.get(id)!;
    /** Lets time pass to so long after the tick that is due, and takes it. */
    const tick = (lateMs = 0) => {
      const dueAt = known().nextAt!;
      spec.now = dueAt + lateMs;
      for (const { id: due, dueAt: at } of spec.take({ kind: 'tick' }).ticks) {
        spec.take({ kind: 'tick_of_schedule', id: due, dueAt: at, bundle: 'b' });
        // Told twice, it is one tick.
        const [first] = spec.last.partitionEntries;
        spec.take({ kind: 'tick_of_schedule', id: due, dueAt: at, bundle: 'b' });
        expect(spec.last.partitionEntries).toEqual([]);
        return first;
      }
    };
    return { spec, id, known, tick };
  };
  const ended = ({ spec, id, known }: ReturnType<typeof set>) =>
    spec.inbound({
      v: 1,
      type: 'schedule_run_ended',
      tenant: 'default',
      session: id,
      run: id,
      at: spec.now,
      ended: known().running!.run,
    });

  test('starts one run a tick, and plans the next', () => {
    const world = set();
    const first = world.tick();
    expect(first).toMatchObject({ type: 'schedule.ticked', reason: 'on time' });
    expect(world.spec.letters('start:')).toHaveLength(1);
    expect(world.known().nextAt! % MINUTE).toBe(0);
    ended(world);
    world.tick();
    expect(world.spec.letters('start:')).toHaveLength(2);
  });

  test('passes over a tick while the run before is at work, or cancels that run, or does not mind', () => {
    const skip = set();
    skip.tick();
    expect(skip.tick()).toMatchObject({ run: null, reason: expect.stringContaining('under way') });
    const cancel = set({ overlap: 'cancel_previous' });
    cancel.tick();
    const before = cancel.known().running!.run;
    expect(cancel.tick()).toMatchObject({ cancel: before });
    expect(cancel.spec.letters(`cancel:${before}`)).toHaveLength(1);
    const parallel = set({ overlap: 'parallel' });
    parallel.tick();
    expect(parallel.tick()).toMatchObject({ run: expect.stringMatching(/^run_/) });
  });

  test('ticks that were missed are left out, or made up for up to a limit', () => {
    const skip = set();
    expect(skip.tick(5 * MINUTE + 30_000)).toMatchObject({ run: null, reason: expect.stringContaining('late') });
    expect(skip.known().nextAt).toBeGreaterThan(skip.spec.now);
    const makeUp = set({ missed: 'catch_up', overlap: 'parallel' });
    const dueAt = makeUp.known().nextAt!;
    makeUp.spec.now = dueAt + 1_000 * MINUTE;
    let made = 0;
    for (let i = 0; i < 1_000; i++) {
      const { ticks } = makeUp.spec.take({ kind: 'tick' });
      if (ticks.length === 0) break;
      made += makeUp.spec.take({ kind: 'tick_of_schedule', ...ticks[0]!, bundle: 'b' }).partitionEntries.length;
    }
    expect(made).toBe(LIMITS.scheduleCatchUpMax + 1);
  });

  test('rests while it is paused, goes on from now when it is not, and is gone when it is removed', () => {
    const { spec, id, known } = set({ paused: true });
    expect(known().nextAt).toBeNull();
    const { schedule } = known();
    spec.inbound({
      v: 1,
      type: 'schedule_set',
      tenant: 'default',
      session: id,
      run: id,
      at: 1,
      schedule: { ...schedule, paused: false },
    });
    expect(known().nextAt).toBeGreaterThan(spec.now);
    spec.inbound({ v: 1, type: 'schedule_remove', tenant: 'umbrella', session: id, run: id, at: 1 });
    expect(known()).toBeDefined();
    spec.inbound({ v: 1, type: 'schedule_remove', tenant: 'default', session: id, run: id, at: 1 });
    expect(spec.state.schedules.size).toBe(0);
    expect(spec.pass(10 * MINUTE).ticks).toEqual([]);
  });

  test('of one moment ticks once', () => {
    const world = set({ timing: { type: 'once', at: 1_005_000 } });
    expect(world.tick()).toMatchObject({ nextAt: null });
    expect(world.spec.state.due.size).toBe(0);
  });
});
