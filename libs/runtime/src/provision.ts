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
import {
  BLOBS,
  BUCKETS,
  CLAIMS,
  FORKS,
  logStreams,
  SPEND_BUCKETS,
  STREAMS,
  type StreamSpec,
  TuttiError,
} from '@tutti/contracts';
import type { NatsBusInternals } from './bus/nats-bus.ts';
import type { Bus } from './bus/port.ts';
import { chooseSettings, type WantedSettings } from './settings.ts';

const NANOS_PER_MS = 1e6;
const STREAM_NOT_FOUND = 10059;
const NAME_IN_USE = 10058;
const READY_TRIES = 50;
const READY_WAIT_MS = 200;

export interface ProvisionOptions extends WantedSettings {
  replicas: number;
}

/** Returns the number of partitions. */
export async function provision(bus: Bus, options: ProvisionOptions): Promise<number> {
  await jetstreamReady(bus);
  const { connection } = bus as unknown as NatsBusInternals;
  const kvm = new Kvm(jetstream(connection));
  for (const name of Object.values(BUCKETS)) {
    await ensureStore(bus, `KV_${name}`, () => kvm.create(name, { replicas: options.replicas, history: 1 }));
  }
  for (const { name, maxAgeMs } of Object.values<{ name: string; maxAgeMs?: number }>(SPEND_BUCKETS))
    await ensureStore(bus, `KV_${name}`, () =>
      kvm.create(name, { replicas: options.replicas, history: 1, ...(maxAgeMs ? { ttl: maxAgeMs } : {}) }),
    );
  await ensureStore(bus, `OBJ_${BLOBS}`, () =>
    new Objm(jetstream(connection)).create(BLOBS, { replicas: options.replicas }),
  );
  for (const { name, maxAgeMs } of [CLAIMS, FORKS])
    await ensureStore(bus, `OBJ_${name}`, () =>
      new Objm(jetstream(connection)).create(name, { replicas: options.replicas, ttl: maxAgeMs * NANOS_PER_MS }),
    );
  // Before the streams: they depend on it.
  const settings = await chooseSettings(bus, options);
  const { log: _one, ...others } = STREAMS;
  const specs = [...Object.values(others), ...logStreams(settings.logStreams, settings.partitions)];
  for (const spec of specs) await ensureStream(bus, spec, options.replicas);
  return settings.partitions;
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
