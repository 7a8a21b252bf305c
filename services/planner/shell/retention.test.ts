/** What goes of a log by age and by size, with runs that live longer than their entries. On a real bus. */
import { BUCKETS } from '@tutti/contracts';
import { until } from '@tutti/testkit';
import { afterEach, describe, expect, test } from 'vitest';
import type { Script } from '../test-support.ts';
import { openWorld, type World } from '../test-world.ts';

let world: World;
afterEach(() => world?.close());

const PARTITION = 0;
/** Written after so many entries; a short run has about ten. */
const CHECKPOINT_ENTRIES = 40;
const ROUNDS_MAX = 60;

/** `slow`: the tool does not come back before it is let. */
function script(slow: Promise<unknown>): Script {
  return {
    complete: ({ chat }) => {
      const what = chat.messages.findLast(({ role }) => role === 'user')!.content!;
      const done = what === 'short' || chat.messages.some(({ role }) => role === 'tool');
      const name = what === 'asks' ? 'act' : 'look';
      return done ? { content: `done ${what}` } : { calls: [{ name, arguments: {} }] };
    },
    execute: ({ tool }) =>
      tool === 'look'
        ? slow.then(() => ({ status: 'done', content: '{}', isError: false, effect: 'pure' }))
        : undefined,
  };
}

async function open(environment: Record<string, string>) {
  const gate = Promise.withResolvers<void>();
  world = await openWorld({
    TUTTI_PARTITIONS: '1',
    TUTTI_PARK_AFTER_MS: '100',
    TUTTI_CHECKPOINT_ENTRIES: String(CHECKPOINT_ENTRIES),
    ...environment,
  });
  await world.workers(script(gate.promise));
  const planner = await world.planner();
  const bundle = await world.apply();
  const short = () => world.start(bundle, 'short').then(world.ended);
  return { planner, bundle, short, release: gate.resolve };
}

/** Memory has projected all that is in the log by now. */
async function project(): Promise<void> {
  const positions = await world.bus.bucket(BUCKETS.positions);
  await positions.put(`memory.${PARTITION}`, new TextEncoder().encode(String(Number.MAX_SAFE_INTEGER)));
}
const logged = async () => (await world.log(PARTITION)).flatMap((batch) => batch.entries);
const holds = async (run: { id: string }) => (await logged()).some((entry) => entry.run === run.id);

describe('retention', () => {
  test('by age takes the entries of runs that are under way, and never the runs', { timeout: 90_000 }, async () => {
    const { planner, bundle, short, release } = await open({ TUTTI_LOG_KEEP_MS: '1' });
    const [active, parked] = [await world.start(bundle, 'works'), await world.start(bundle, 'asks')];
    const [approval] = await until('it to ask', async () => {
      const open = await world.approvals(parked);
      return open.length > 0 ? open : null;
    });
    for (let round = 0; round < 10; round++) await short();
    // Nobody else has what is in the log.
    expect([await holds(active), await holds(parked)]).toEqual([true, true]);
    await project();
    for (let round = 0; (await holds(active)) || (await holds(parked)); round++) {
      expect(round).toBeLessThan(ROUNDS_MAX);
      await short();
    }
    await planner.stop();
    await world.planner();
    // The partition has no owner for a moment.
    const status = (run: typeof active) =>
      until('an owner to say', async () => (await world.view(run))?.status ?? null);
    expect([await status(active), await status(parked)]).toEqual(['running', 'waiting']);
    release();
    expect(await world.ended(active)).toMatchObject({ status: 'completed', output: 'done works' });
    await world.say(parked, { type: 'approve', approval: approval!.id, decision: 'approve', by: 'ann' });
    expect(await world.ended(parked)).toMatchObject({ status: 'completed', output: 'done asks' });
  });

  test('by size keeps what is new, however young the rest is', { timeout: 90_000 }, async () => {
    const { bundle, short } = await open({ TUTTI_LOG_KEEP_BYTES: '20000' });
    const parked = await world.start(bundle, 'asks');
    await project();
    let last = await short();
    for (let round = 0; round < 40; round++) last = await short();
    expect(await holds(last)).toBe(true);
    // What is kept, and what comes until the next checkpoint, twice.
    const bytes = JSON.stringify(await world.log(PARTITION)).length;
    expect(bytes).toBeLessThan(100_000);
    expect(await holds(parked)).toBe(false);
    expect((await world.view(parked))?.status).toBe('waiting');
  });
});
