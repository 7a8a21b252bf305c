/** Logs that are spread over several streams. */
import { expect, test } from 'vitest';
import { openWorld } from '../test-world.ts';

test('runs of all partitions end, survive their planner, and each log lies in its own stream', async () => {
  const world = await openWorld({ TUTTI_LOG_STREAMS: '3', TUTTI_PARTITIONS: '4', TUTTI_CHECKPOINT_ENTRIES: '5' });
  try {
    await world.workers({ complete: () => ({ content: 'ok' }) });
    const hash = await world.apply({ tools: [], knowledge: [] });
    const first = await world.planner();
    const partitions = [0, 1, 2, 3];
    const before = await Promise.all(partitions.map((p) => world.start(hash, 'one', world.sessionIn(p))));
    for (const run of before) expect((await world.ended(run)).status).toBe('completed');
    await first.stop();
    await world.planner();
    // A checkpoint and what came after it are read back from the right stream.
    for (const run of before) expect(await world.view(run)).toMatchObject({ status: 'completed' });
    const after = await Promise.all(before.map((run) => world.start(hash, 'two', run.session)));
    for (const run of after) expect((await world.ended(run)).status).toBe('completed');
    for (const partition of partitions) {
      const started = (await world.log(partition)).flatMap(({ entries }) =>
        entries.filter(({ type }) => type === 'run.accepted').map(({ run }) => run),
      );
      expect(started).toEqual([before[partition]!.id, after[partition]!.id]);
    }
  } finally {
    await world.close();
  }
});
