/** Buckets over NATS key-value stores. */
import { JetStreamApiError } from '@nats-io/jetstream';
import type { KV } from '@nats-io/kv';
import { TuttiError } from '@tutti/contracts';
import type { Logger } from '../log.ts';
import { type Bucket, BusConflict, BusUnknown } from './port.ts';

const CONFLICTS = [10071, 10164];

async function written<T>(key: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (error instanceof JetStreamApiError && CONFLICTS.includes(error.code))
      throw new BusConflict(`${key} was changed by somebody else`);
    if (outOfReach(error)) throw new BusUnknown(`nobody says whether ${key} is stored: ${(error as Error).message}`);
    throw error;
  }
}

/** The client's own words for "no answer": of a read nothing is lost by asking again, of a write it is not known. */
const NO_ANSWER = ['TimeoutError', 'NoRespondersError', 'RequestError', 'ClosedConnectionError', 'ConnectionError'];
function outOfReach(error: unknown): boolean {
  return error instanceof Error && NO_ANSWER.includes(error.name);
}

export function openBucket(kv: KV, log: Logger): Bucket {
  return {
    async get(key) {
      const entry = await kv.get(key).catch((error: unknown) => {
        throw outOfReach(error)
          ? new TuttiError('unavailable', `${key} cannot be read right now`, { cause: error })
          : error;
      });
      return entry && entry.operation === 'PUT' ? { key, value: entry.value, revision: entry.revision } : null;
    },
    put: (key, value) => written(key, () => kv.put(key, value)),
    create: (key, value) => written(key, () => kv.create(key, value)),
    update: (key, value, revision) => written(key, () => kv.update(key, value, revision)),
    delete: (key, revision) =>
      written(key, () => kv.delete(key, revision === undefined ? {} : { previousSeq: revision })),
    async watch(handler) {
      const watcher = await kv.watch({});
      let resolveReady = () => {};
      const ready = new Promise<void>((resolve) => {
        resolveReady = resolve;
      });
      const empty = (await kv.status()).values === 0;
      if (empty) resolveReady();
      void (async () => {
        for await (const entry of watcher) {
          try {
            handler(
              entry.key,
              entry.operation === 'PUT' ? { key: entry.key, value: entry.value, revision: entry.revision } : null,
            );
          } catch (error) {
            log.error({ error, key: entry.key }, 'a bucket watcher threw');
          }
          if (entry.delta === 0) resolveReady();
        }
      })();
      return { ready, stop: () => watcher.stop() };
    },
  };
}
