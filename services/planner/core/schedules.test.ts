/** Schedules: exactly one start a tick, or a reason why there is none. */
import { LIMITS, type Schedule, scheduleIdFor } from '@tutti/contracts';
import { describe, expect, test } from 'vitest';
import { Spec } from './test-kit/spec.ts';

describe('a schedule', () => {
  const MINUTE = 60_000;
  const set = (more: Partial<Schedule> = {}, checked = true) => {
    const spec = new Spec({ a: { strategy: 'direct', tools: [] } }, { checked });
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
    const change = (changes: Partial<Schedule>) => {
      const changed = { ...schedule, ...changes };
      const base = { v: 1 as const, tenant: 'default', session: id, run: id, at: spec.now };
      spec.inbound({ ...base, type: 'schedule_set', schedule: changed });
    };
    change({});
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
    return { spec, id, known, tick, change };
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
    const makeUp = set({ missed: 'catch_up', overlap: 'parallel' }, false);
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
    // Set once more, with another goal: its moment has been. At another moment it is another tick.
    world.change({ input: 'otherwise' });
    expect(world.known().nextAt).toBeNull();
    world.change({ timing: { type: 'once', at: 2_005_000 } });
    expect(world.tick()).toMatchObject({ dueAt: 2_005_000, nextAt: null });
  });

  const again = ({ spec, id, known }: ReturnType<typeof set>, more: Partial<Schedule> = {}) =>
    spec.inbound({
      v: 1,
      type: 'schedule_set',
      tenant: 'default',
      session: id,
      run: id,
      at: spec.now,
      schedule: { ...known().schedule, ...more },
    });

  test('of one moment that has ticked does not tick again when it is set again', () => {
    const world = set({ timing: { type: 'once', at: 1_005_000 } });
    world.tick();
    ended(world);
    again(world, { input: 'other words' });
    expect(world.known()).toMatchObject({ nextAt: null, schedule: { input: 'other words' } });
    expect(world.spec.pass(MINUTE).ticks).toEqual([]);
    // Another moment is another tick.
    again(world, { timing: { type: 'once', at: world.spec.now + 5_000 } });
    expect(world.tick()).toMatchObject({ reason: 'on time', run: expect.stringMatching(/^run_/) });
    ended(world);
    // And what it becomes is not held up by a run that has long ended.
    again(world, { timing: { type: 'cron', cron: '* * * * *', timeZone: 'UTC' } });
    expect(world.tick()).toMatchObject({ run: expect.stringMatching(/^run_/) });
  });

  test('makes up for no more ticks than the limit, however late still counts as on time', () => {
    for (const missed of ['skip', 'catch_up'] as const) {
      const world = set({ missed, overlap: 'parallel', graceMs: 365 * 86_400_000 }, false);
      world.spec.now = world.known().nextAt! + 1_000 * MINUTE;
      let made = 0;
      for (let i = 0; i < 1_000; i++) {
        const { ticks } = world.spec.take({ kind: 'tick' });
        if (ticks.length === 0) break;
        world.spec.take({ kind: 'tick_of_schedule', ...ticks[0]!, bundle: 'b' });
        made++;
      }
      expect(made).toBe(LIMITS.scheduleCatchUpMax + 1);
      expect(world.known().nextAt).toBeGreaterThan(world.spec.now);
    }
  });

  test('that was changed or removed while its tick was on its way does not tick', () => {
    for (const change of [{ paused: true }, { timing: { type: 'once' as const, at: 9_000_000 } }, null]) {
      const world = set();
      const dueAt = world.known().nextAt!;
      world.spec.now = dueAt;
      const [tick] = world.spec.take({ kind: 'tick' }).ticks;
      if (change) again(world, change);
      else
        world.spec.inbound({
          v: 1,
          type: 'schedule_remove',
          tenant: 'default',
          session: world.id,
          run: world.id,
          at: 1,
        });
      expect(world.spec.take({ kind: 'tick_of_schedule', ...tick!, bundle: 'b' }).partitionEntries).toEqual([]);
    }
  });

  test('whose other words change while its tick is on its way ticks once, with the new words', () => {
    const world = set();
    world.spec.now = world.known().nextAt!;
    const [tick] = world.spec.take({ kind: 'tick' }).ticks;
    again(world, { input: 'other words' });
    const [second] = world.spec.take({ kind: 'tick' }).ticks;
    expect(second).toEqual(tick);
    world.spec.take(
      { kind: 'tick_of_schedule', ...tick!, bundle: 'b' },
      { kind: 'tick_of_schedule', ...tick!, bundle: 'b' },
    );
    expect(world.spec.last.partitionEntries).toMatchObject([
      { run: expect.any(String), start: { input: 'other words' } },
    ]);
  });

  test('starts the same run for the same tick, whoever owns the partition', () => {
    const worlds = [set(), set()];
    worlds[1]!.spec.takeOver('checkpoint');
    const runs = worlds.map((world) => world.tick());
    expect(runs[0]).toEqual(runs[1]);
    expect(runs[0]).toMatchObject({ run: expect.stringMatching(/^run_/) });
  });

  test('passes over a tick when its tenant has no bundle, and tells why', () => {
    const world = set();
    world.spec.now = world.known().nextAt!;
    const [tick] = world.spec.take({ kind: 'tick' }).ticks;
    world.spec.take({ kind: 'tick_of_schedule', ...tick!, bundle: null });
    expect(world.spec.last.partitionEntries).toMatchObject([{ run: null, reason: 'the tenant has no bundle' }]);
    expect(world.known().running).toBeNull();
  });

  test('goes on after each way in which its run can end', () => {
    for (const [agent, settle] of [
      ['a', (spec: Spec, run: string) => spec.tell(run, { type: 'cancel', by: 'ann', reason: '' })],
      ['a', (spec: Spec, run: string) => spec.gather(run).fail(run, 'internal', false)],
      ['nobody', () => undefined],
    ] as const) {
      const world = set({ agent });
      const ticked = world.tick() as { run: string };
      world.spec.mail();
      settle(world.spec, ticked.run);
      world.spec.mail();
      expect(world.known().running).toBeNull();
      expect(world.tick()).toMatchObject({ run: expect.stringMatching(/^run_/) });
    }
  });

  test('of one conversation waits its turn in it', () => {
    const world = set({ session: 'daily', overlap: 'parallel' });
    const runs = [world.tick(), world.tick()].map((ticked) => (ticked as { run: string }).run);
    world.spec.mail();
    expect(runs.map((run) => world.spec.status(run))).toEqual(['running', 'queued']);
  });
});
