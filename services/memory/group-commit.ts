/**
 * Group commit: what arrives while a write is under way goes into the next one.
 * Invariants: one write at a time, in the order of arrival; an item's promise settles as the write that holds it did.
 */
import { TuttiError } from '@tutti/contracts';

const RETRY_AFTER_MS = 250;

export interface GroupCommit<Item> {
  /** Resolves when the item is stored. Rejects with `overloaded` when too many wait, or with the error of the write. */
  add(item: Item): Promise<void>;
  /** Resolves when nothing waits and no write is under way. */
  idle(): Promise<void>;
}

export function createGroupCommit<Item>(
  write: (items: Item[]) => Promise<void>,
  limits: { itemsMax: number; waitingMax: number },
): GroupCommit<Item> {
  const waiting: { item: Item; done: () => void; failed: (error: unknown) => void }[] = [];
  let working: Promise<void> | undefined;

  async function work(): Promise<void> {
    // A tick first, so that what was read off the wire together is written together.
    await new Promise((resolve) => setImmediate(resolve));
    while (waiting.length > 0) {
      const group = waiting.splice(0, limits.itemsMax);
      try {
        await write(group.map(({ item }) => item));
        for (const { done } of group) done();
      } catch (error) {
        for (const { failed } of group) failed(error);
      }
    }
    working = undefined;
  }

  return {
    add(item) {
      if (waiting.length >= limits.waitingMax)
        return Promise.reject(
          new TuttiError('overloaded', `${waiting.length} turns wait to be stored, the limit`, {
            retryAfterMs: RETRY_AFTER_MS,
          }),
        );
      return new Promise((done, failed) => {
        waiting.push({ item, done, failed });
        working ??= work();
      });
    },
    idle: () => working ?? Promise.resolve(),
  };
}
