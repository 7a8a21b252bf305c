/** Order, bounds and ends of the queue between the log and the index. */
import { describe, expect, it } from 'vitest';
import type { LogRecord } from './ports/index-engine.ts';
import { RecordQueue, type RecordQueueOptions } from './record-queue.ts';

const record = (sequence: number, bytes = 10): LogRecord => ({
  subject: `tutti.kb.acme.notes.d${sequence}`,
  data: new Uint8Array(bytes),
  sequence,
  storedAt: sequence,
});
const bounds = { batchRecordsMax: 3, batchBytesMax: 100, queueBytesMax: 1_000 };

function newQueue(own: Partial<RecordQueueOptions> = {}) {
  const batches: number[][] = [];
  const failures: Error[] = [];
  const queue = new RecordQueue({
    ...bounds,
    work: async (records) => void batches.push(records.map((r) => r.sequence)),
    failed: (error) => failures.push(error),
    ...own,
  });
  return { queue, batches, failures };
}

describe('RecordQueue', () => {
  it('batches by number and by bytes, in order, and passes over what came before', async () => {
    const { queue, batches } = newQueue();
    for (const [sequence, bytes] of [
      [1, 10],
      [2, 10],
      [2, 10],
      [3, 10],
      [1, 10],
      [4, 500],
      [5, 60],
      [6, 60],
      [9, 1],
    ] as const)
      queue.push(record(sequence, bytes));
    await queue.idle();
    expect(batches).toEqual([[1, 2, 3], [4], [5], [6, 9]]);
    expect(queue.last).toEqual({ subject: 'tutti.kb.acme.notes.d9', sequence: 9, storedAt: 9 });
    queue.push(record(10));
    await queue.idle();
    expect(batches.at(-1)).toEqual([10]);
  });

  it('makes the log wait while it is full', async () => {
    let release = () => {};
    const { queue } = newQueue({
      work: () =>
        new Promise((resolve) => {
          release = resolve;
        }),
    });
    expect(queue.push(record(1, 900))).toBeUndefined();
    const room = queue.push(record(2, 200));
    expect(room).toBeInstanceOf(Promise);
    await new Promise((resolve) => setImmediate(resolve));
    release();
    await room;
    expect(queue.position).toBe(1);
    queue.stop();
    release();
  });

  it('stops at the first failure, and nothing waits for ever', async () => {
    const { queue, failures } = newQueue({
      work: async (records) => {
        if (records.some((r) => r.sequence === 4)) throw new Error('disk full');
      },
    });
    const pushes = [1, 2, 3, 4, 5, 6].map((sequence) => queue.push(record(sequence, 400)));
    await Promise.all(pushes);
    await queue.idle();
    expect(failures.map((error) => error.message)).toEqual(['disk full']);
    expect(queue.position).toBe(3);
    expect(queue.push(record(7))).toBeUndefined();
  });
});
