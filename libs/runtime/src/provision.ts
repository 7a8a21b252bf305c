/**
 * Makes the streams, buckets and settings that the catalogue names, and checks what is there. Idempotent, and safe to
 * run from several processes at once. Refuses what would lose data: another number of partitions above all.
 */
import {
  DiscardPolicy,
  JetStreamApiError,
  jetstream,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import { Objm } from '@nats-io/obj';
import { BLOBS, BUCKETS, CLAIMS, STREAMS, type StreamSpec, TuttiError } from '@tutti/contracts';
import type { NatsBusInternals } from './bus/nats-bus.ts';
import { type Bus, BusConflict } from './bus/port.ts';

export const PARTITIONS_DEFAULT = 4;
export const PARTITIONS_MAX = 256;
const NANOS_PER_MS = 1e6;
const STREAM_NOT_FOUND = 10059;
const NAME_IN_USE = 10058;
const READY_TRIES = 50;
const READY_WAIT_MS = 200;

export interface ProvisionOptions {
  /** Undefined: what is there, or the default. */
  partitions?: number | undefined;
  replicas: number;
}

/** Returns the number of partitions. */
export async function provision(bus: Bus, options: ProvisionOptions): Promise<number> {
  await jetstreamReady(bus);
  for (const spec of Object.values(STREAMS)) await ensureStream(bus, spec, options.replicas);
  const { connection } = bus as unknown as NatsBusInternals;
  const kvm = new Kvm(jetstream(connection));
  for (const name of Object.values(BUCKETS)) {
    await ensureStore(bus, `KV_${name}`, () => kvm.create(name, { replicas: options.replicas, history: 1 }));
  }
  await ensureStore(bus, `OBJ_${BLOBS}`, () =>
    new Objm(jetstream(connection)).create(BLOBS, { replicas: options.replicas }),
  );
  await ensureStore(bus, `OBJ_${CLAIMS.name}`, () =>
    new Objm(jetstream(connection)).create(CLAIMS.name, {
      replicas: options.replicas,
      ttl: CLAIMS.maxAgeMs * NANOS_PER_MS,
    }),
  );
  return ensurePartitions(bus, options.partitions);
}

/** A server that has just come up answers before its JetStream does. */
async function jetstreamReady(bus: Bus): Promise<void> {
  const { manager } = bus as unknown as NatsBusInternals;
  for (let attempt = 1; ; attempt++) {
    try {
      await manager.getAccountInfo();
      return;
    } catch (error) {
      if (attempt === READY_TRIES)
        throw new TuttiError(
          'unavailable',
          `the NATS server has no JetStream: ${(error as Error).message}. Start it with -js.`,
          { cause: error },
        );
      await new Promise((resolve) => setTimeout(resolve, READY_WAIT_MS));
    }
  }
}

/** Two processes may make the same thing at the same moment: the second sees it on its next try. */
async function again(make: () => Promise<unknown>): Promise<void> {
  try {
    await make();
  } catch (error) {
    if (!(error instanceof JetStreamApiError) || error.code !== NAME_IN_USE) throw error;
    await make();
  }
}

async function ensureStore(bus: Bus, stream: string, make: () => Promise<unknown>): Promise<void> {
  const { manager } = bus as unknown as NatsBusInternals;
  try {
    await manager.streams.info(stream);
  } catch (error) {
    if (!(error instanceof JetStreamApiError) || error.code !== STREAM_NOT_FOUND) throw error;
    await again(make);
  }
}

async function ensureStream(bus: Bus, spec: StreamSpec, replicas: number): Promise<void> {
  const { manager } = bus as unknown as NatsBusInternals;
  const config: Partial<StreamConfig> & { name: string } = {
    name: spec.name,
    subjects: [...spec.subjects],
    storage: StorageType.File,
    retention: RetentionPolicy.Limits,
    discard: DiscardPolicy.Old,
    num_replicas: replicas,
    max_msgs_per_subject: spec.lastPerSubject ? 1 : -1,
    max_age: (spec.maxAgeMs ?? 0) * NANOS_PER_MS,
    allow_direct: true,
    ...(spec.duplicateWindowMs ? { duplicate_window: spec.duplicateWindowMs * NANOS_PER_MS } : {}),
    ...(spec.schedules ? { allow_msg_schedules: true, allow_msg_ttl: true } : {}),
  };
  try {
    const { config: there } = await manager.streams.info(spec.name);
    // A process that was not told how many copies there are must not take some away.
    await manager.streams.update(spec.name, { ...config, num_replicas: Math.max(there.num_replicas, replicas) });
  } catch (error) {
    if (!(error instanceof JetStreamApiError) || error.code !== STREAM_NOT_FOUND) throw error;
    await again(() => manager.streams.add(config));
  }
}

async function ensurePartitions(bus: Bus, wanted: number | undefined): Promise<number> {
  const settings = await bus.bucket(BUCKETS.settings);
  const count = wanted ?? PARTITIONS_DEFAULT;
  if (!Number.isInteger(count) || count < 1 || count > PARTITIONS_MAX)
    throw new TuttiError(
      'invalid_request',
      `TUTTI_PARTITIONS must be a whole number from 1 to ${PARTITIONS_MAX}, not ${count}`,
    );
  try {
    await settings.create('partitions', new TextEncoder().encode(String(count)));
    return count;
  } catch (error) {
    if (!(error instanceof BusConflict)) throw error;
  }
  const there = await readPartitions(bus);
  if (wanted !== undefined && there !== wanted) {
    throw new TuttiError(
      'conflict',
      `this bus was set up with ${there} partitions, but TUTTI_PARTITIONS asks for ${wanted}. The number is chosen once: sessions would move away from their logs. Set TUTTI_PARTITIONS=${there} or use a new NATS.`,
    );
  }
  return there!;
}

/** The number of partitions that was chosen, or undefined when nothing was provisioned yet. */
export async function readPartitions(bus: Bus): Promise<number | undefined> {
  const entry = await (await bus.bucket(BUCKETS.settings)).get('partitions');
  return entry ? Number(new TextDecoder().decode(entry.value)) : undefined;
}
