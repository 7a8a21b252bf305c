/**
 * Blobs in a NATS object store, in its own layout (a message about each object, and its content in chunks under an id of
 * this writing), so that its tools can read them. Written by its library; read and deleted by hand: the library makes a
 * consumer for each object, waits for ever where content was taken away meanwhile, and leaves a message behind for each
 * object that was deleted.
 */
import { hash } from 'node:crypto';
import { JetStreamApiError, type JetStreamManager } from '@nats-io/jetstream';
import { Base64UrlPaddedCodec, type ObjectStore, setSha256Backend } from '@nats-io/obj';
import { TuttiError } from '@tutti/contracts';
import { BlobBroken, type Blobs, type StoredMessage } from './port.ts';

// Its default is written for browsers and takes ten times as long.
setSha256Backend('native');

const NO_MESSAGE = 10037;
const text = new TextDecoder();

/** What the message about an object says. */
interface About {
  name: string;
  nuid: string;
  size: number;
  chunks: number;
  /** `SHA-256=` and base64url. */
  digest: string;
  deleted?: boolean;
}

export interface BlobBus {
  manager: JetStreamManager;
  /** The largest message; a chunk takes less. */
  payloadBytesMax(): number;
  read(stream: string, subject: string): AsyncIterable<StoredMessage>;
}

/** Room for the protocol around a chunk. */
const HEAD_BYTES = 4_096;

export function openBlobs(store: ObjectStore, bucket: string, bus: BlobBus): Blobs {
  const stream = `OBJ_${bucket}`;
  const { manager } = bus;
  const aboutSubject = (name: string) => `$O.${bucket}.M.${Base64UrlPaddedCodec.encode(name)}`;
  const chunkSubject = ({ nuid }: About) => `$O.${bucket}.C.${nuid}`;

  async function lookUp(name: string): Promise<About | null> {
    const message = await lastOf(manager, stream, aboutSubject(name));
    const about = message && (JSON.parse(text.decode(message)) as About);
    return about && !about.deleted ? about : null;
  }

  /** Null: not (all of) it is there. */
  async function content(about: About): Promise<Uint8Array | null> {
    if (about.size === 0) return new Uint8Array();
    if (about.chunks === 1) {
      // Any replica answers, in one step; one that lags behind may not have it yet.
      const near = await manager.direct.getMessage(stream, { last_by_subj: chunkSubject(about) });
      return near ? near.data : lastOf(manager, stream, chunkSubject(about));
    }
    const chunks: Uint8Array[] = [];
    for await (const { data } of bus.read(stream, chunkSubject(about))) chunks.push(data);
    return chunks.length === about.chunks ? Buffer.concat(chunks) : null;
  }

  return {
    async put(name, data) {
      const options = { max_chunk_size: bus.payloadBytesMax() - HEAD_BYTES };
      await asked(`could not store ${name}`, () => store.putBlob({ name, options }, data));
    },
    get: (name) =>
      asked(`could not read ${name}`, async () => {
        const about = await lookUp(name);
        const data = about && (await content(about));
        if (data && `SHA-256=${hash('sha256', data, 'base64url')}` !== about.digest.replace(/=+$/, ''))
          throw new BlobBroken(`${name} is not what was stored: it has another digest`);
        return data;
      }),
    delete: (name) =>
      asked(`could not delete ${name}`, async () => {
        const about = await lookUp(name);
        // Whoever finds the one without the other takes it for gone.
        if (about) await manager.streams.purge(stream, { filter: chunkSubject(about) });
        await manager.streams.purge(stream, { filter: aboutSubject(name) });
      }),
    list: (prefix) =>
      asked(`could not list ${bucket}`, async () =>
        (await store.list()).flatMap(({ name }) => (name.startsWith(prefix) ? [name] : [])),
      ),
  };
}

/** From the leader: what was acknowledged is there. */
async function lastOf(manager: JetStreamManager, stream: string, subject: string): Promise<Uint8Array | null> {
  try {
    return (await manager.streams.getMessage(stream, { last_by_subj: subject }))?.data ?? null;
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === NO_MESSAGE) return null;
    throw error;
  }
}

async function asked<T>(what: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof BlobBroken) throw error;
    throw new TuttiError('unavailable', `${what}: ${(error as Error).message}`, { cause: error });
  }
}
