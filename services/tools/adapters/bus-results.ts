/** Large results in the object store, one a call, each with an object that says what is known of it. */
import { createHash } from 'node:crypto';
import { KeptResult, keptResultBlob, RESULTS, resultBlob, resultReference } from '@tutti/contracts';
import { BlobBroken, type Blobs, type Bus } from '@tutti/runtime';
import type { Results } from '../ports/results.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const hashOf = (data: Uint8Array) => createHash('sha256').update(data).digest('hex');

export function createBusResults(bus: Pick<Bus, 'blobs'>): Results {
  let opening: Promise<Blobs> | undefined;
  const store = (): Promise<Blobs> => {
    opening ??= bus.blobs(RESULTS.name).catch((error) => {
      opening = undefined;
      throw error;
    });
    return opening;
  };
  return {
    async keep({ tenant, run, root, session, callId, tool, label }, content) {
      const data = encoder.encode(content);
      const blob = resultBlob(tenant, run ?? 'none', callId);
      const reference = resultReference(tenant, run ?? 'none', callId);
      const hash = hashOf(data);
      const about: KeptResult = { v: 1, blob, hash, tool, label, run, root, session };
      const blobs = await store();
      await blobs.put(blob, data);
      await blobs.put(keptResultBlob(tenant, reference), encoder.encode(JSON.stringify(about)));
      return { whole: { blob, bytes: data.length, hash }, reference };
    },
    async read(tenant, reference) {
      const blobs = await store();
      try {
        const said = await blobs.get(keptResultBlob(tenant, reference));
        if (!said) return null;
        const about = KeptResult.parse(JSON.parse(decoder.decode(said)));
        const data = await blobs.get(about.blob);
        // A pure call that was made again may have left another text, of which another label may be true.
        return data && hashOf(data) === about.hash ? { about, content: decoder.decode(data) } : null;
      } catch (error) {
        if (error instanceof BlobBroken) return null;
        throw error;
      }
    },
  };
}
