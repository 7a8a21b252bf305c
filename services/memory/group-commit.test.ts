import { expect, test } from 'vitest';
import { createGroupCommit } from './group-commit.ts';

test('what arrives together, or while a write is under way, is written together', async () => {
  const groups: number[][] = [];
  const commit = createGroupCommit<number>(
    async (items) => {
      groups.push(items);
      if (items.includes(1)) late = [3, 4].map((item) => commit.add(item));
    },
    { itemsMax: 10, waitingMax: 10 },
  );
  let late: Promise<void>[] = [];
  await Promise.all([commit.add(1), commit.add(2)]);
  await Promise.all(late);
  await commit.idle();
  expect(groups).toEqual([
    [1, 2],
    [3, 4],
  ]);
});

test('a write that fails fails its items alone; too many are refused with a hint', async () => {
  const commit = createGroupCommit<number>(
    async (items) => {
      if (items.includes(2)) throw new Error('no');
    },
    { itemsMax: 1, waitingMax: 3 },
  );
  const outcomes = await Promise.allSettled([1, 2, 3, 4].map((item) => commit.add(item)));
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'rejected']);
  expect(outcomes[3]).toMatchObject({ reason: { code: 'overloaded', retryAfterMs: expect.any(Number) } });
});
