/** Schedules: exactly one start a tick, or a reason why there is none. */
import { LIMITS, type Schedule, scheduleIdFor } from '@tutti/contracts';
import { describe, expect, test } from 'vitest';
import { Spec } from './test-kit/spec.ts';

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
