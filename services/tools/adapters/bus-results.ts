/** Large results in the object store, one a call. */
import { createHash } from 'node:crypto';
import { RESULTS, resultBlob } from '@tutti/contracts';
import type { Blobs, Bus } from '@tutti/runtime';
import type { Results } from '../ports/results.ts';

export function createBusResults(bus: Bus): Results {
  let opening: Promise<Blobs> | undefined;
  const store = (): Promise<Blobs> => {
    opening ??= bus.blobs(RESULTS.name).catch((error) => {
      opening = undefined;
      throw error;
    });
    return opening;
  };
  return {
    async keep({ tenant, run, callId }, content) {
      const data = new TextEncoder().encode(content);
      const blob = resultBlob(tenant, run ?? 'none', callId);
      await (await store()).put(blob, data);
      return { blob, bytes: data.length, hash: createHash('sha256').update(data).digest('hex') };
    },
  };
}
