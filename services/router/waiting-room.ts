/**
 * Who waits for room in a ledger, in order. When something is given back a few are told, not all: a thousand that ask again
 * at once find room for three of them. Each also looks by itself now and then, since other processes give back too.
 */
import { setTimeout as sleep } from 'node:timers/promises';

export interface WaitingRoom {
  /** Resolves when told, after `ms`, or when `signal` aborts. */
  wait(key: string, ms: number, signal: AbortSignal): Promise<void>;
  /** Tells those who have waited longest. */
  tell(key: string, count: number): void;
  /** Somebody waits who has not been told. */
  isWaitedFor(key: string): boolean;
}

export function createWaitingRoom(): WaitingRoom {
  const rooms = new Map<string, Set<() => void>>();
  return {
    async wait(key, ms, signal) {
      const room = rooms.get(key) ?? new Set();
      rooms.set(key, room);
      const stop = new AbortController();
      const told = () => stop.abort();
      room.add(told);
      signal.addEventListener('abort', told, { once: true });
      if (signal.aborted) told();
      await sleep(ms, undefined, { signal: stop.signal }).catch(() => {});
      signal.removeEventListener('abort', told);
      room.delete(told);
      if (room.size === 0) rooms.delete(key);
    },
    tell(key, count) {
      let left = count;
      for (const told of rooms.get(key) ?? []) {
        if (left-- <= 0) return;
        rooms.get(key)?.delete(told);
        told();
      }
    },
    isWaitedFor: (key) => (rooms.get(key)?.size ?? 0) > 0,
  };
}
