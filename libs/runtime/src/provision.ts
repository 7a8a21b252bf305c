/**
 * Makes the streams, buckets and settings that the catalogue names, and checks what is there. Idempotent, and safe to
 * run from several processes at once. All is looked at before anything is changed, and what would lose data is refused:
 * another number of partitions above all (settings.ts), and streams that keep less than Tutti needs (stream-plan.ts).
 */
import { JetStreamApiError, jetstream, type StreamConfig } from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import { Objm } from '@nats-io/obj';
import {
  BLOBS,
  BUCKETS,
  CLAIMS,
  FORKS,
  logStreams,
  RESULTS,
  SPEND_BUCKETS,
  STREAMS,
  TuttiError,
} from '@tutti/contracts';
import type { NatsBusInternals } from './bus/nats-bus.ts';
import type { Bus } from './bus/port.ts';
import { agreed, chooseSettings, readSettings, type Settings, type WantedSettings } from './settings.ts';
import { configOf, planStore, planStream, type StreamPlan } from './stream-plan.ts';

const NANOS_PER_MS = 1e6;
const STREAM_NOT_FOUND = 10059;
const NAME_IN_USE = 10058;
const NOT_CLUSTERED = 10074;
/** A cluster that is coming up: no peers, no leader or not all of JetStream yet. */
const COMING_UP = [10005, 10006, 10008, 10009, 10023];
const READY_TRIES = 50;
const READY_WAIT_MS = 200;

export interface ProvisionOptions extends WantedSettings {
  replicas: number;
  /** How long a cluster that is coming up is waited for, beside the 10 s for JetStream itself. */
  waitMs?: number;
  /** Told what was done, a line each: `TUTTI_LOG: made`. */
  tell?(line: string): void;
}

/** One stream, or what a bucket or an object store is kept in. */
interface Store {
  stream: string;
  plan(there: StreamConfig | undefined): StreamPlan;
  make(): Promise<unknown>;
}

/** Returns the number of partitions. Throws `conflict` with all that is refused, and has changed nothing then. */
export async function provision(bus: Bus, options: ProvisionOptions): Promise<number> {
  await jetstreamReady(bus);
  const buckets = bucketStores(bus, options.replicas);
  const wanted = await settingsThere(bus, options);
  const streams = streamStores(bus, wanted, options.replicas);
  const plans = await plansOf(bus, [...buckets, ...streams]);
  refuse(plans);
  for (const store of buckets) await carryOut(bus, store, plans.get(store)!, options);
  // After the buckets, which it is kept in, and before the streams, which depend on it.
  const chosen = await chooseSettings(bus, options);
  // Another process may have chosen meanwhile.
  const same = chosen.partitions === wanted.partitions && chosen.logStreams === wanted.logStreams;
  const rest = same ? streams : streamStores(bus, chosen, options.replicas);
  const planOf = same ? plans : await plansOf(bus, rest);
  refuse(planOf);
  for (const store of rest) await carryOut(bus, store, planOf.get(store)!, options);
  return chosen.partitions;
}

/** What provisioning would do, a line each; nothing where all is as it should be. Throws what it would refuse. */
export async function checkProvisioned(bus: Bus, options: ProvisionOptions): Promise<string[]> {
  await jetstreamReady(bus);
  const wanted = await settingsThere(bus, options);
  const plans = await plansOf(bus, [
    ...bucketStores(bus, options.replicas),
    ...streamStores(bus, wanted, options.replicas),
  ]);
  refuse(plans);
  return [...plans].flatMap(([{ stream }, plan]) => (plan.what === 'keep' ? [] : [`${stream}: ${said(plan)}`]));
}

async function settingsThere(bus: Bus, options: ProvisionOptions): Promise<Settings> {
  const bucket = await configThere(bus, `KV_${BUCKETS.settings}`);
  return agreed(bucket && (await readSettings(bus)), options);
}

function bucketStores(bus: Bus, replicas: number): Store[] {
  const { connection } = bus as unknown as NatsBusInternals;
  const api = jetstream(connection);
  const buckets: { name: string; maxAgeMs?: number }[] = [
    ...Object.values(BUCKETS).map((name) => ({ name })),
    ...Object.values(SPEND_BUCKETS),
  ];
  const objects = [{ name: BLOBS, maxAgeMs: 0 }, CLAIMS, FORKS, RESULTS];
  return [
    ...buckets.map(({ name, maxAgeMs = 0 }) => ({
      stream: `KV_${name}`,
      plan: (there: StreamConfig | undefined) => planStore(maxAgeMs, there, replicas),
      // the client takes the age of a bucket in milliseconds, that of an object store in nanoseconds
      make: () => new Kvm(api).create(name, { replicas, history: 1, ...(maxAgeMs ? { ttl: maxAgeMs } : {}) }),
    })),
    ...objects.map(({ name, maxAgeMs }) => ({
      stream: `OBJ_${name}`,
      plan: (there: StreamConfig | undefined) => planStore(maxAgeMs, there, replicas),
      make: () => new Objm(api).create(name, { replicas, ...(maxAgeMs ? { ttl: maxAgeMs * NANOS_PER_MS } : {}) }),
    })),
  ];
}

function streamStores(bus: Bus, settings: Settings, replicas: number): Store[] {
  const { manager } = bus as unknown as NatsBusInternals;
  const { log: _one, ...others } = STREAMS;
  return [...Object.values(others), ...logStreams(settings.logStreams, settings.partitions)].map((spec) => ({
    stream: spec.name,
    plan: (there) => planStream(spec, there, replicas),
    make: () => manager.streams.add(configOf(spec, replicas)),
  }));
}

async function plansOf(bus: Bus, stores: Store[]): Promise<Map<Store, StreamPlan>> {
  const plans = new Map<Store, StreamPlan>();
  for (const store of stores) plans.set(store, store.plan(await configThere(bus, store.stream)));
  return plans;
}

async function configThere(bus: Bus, stream: string): Promise<StreamConfig | undefined> {
  const { manager } = bus as unknown as NatsBusInternals;
  try {
    return (await manager.streams.info(stream)).config;
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === STREAM_NOT_FOUND) return undefined;
    throw error;
  }
}

function refuse(plans: Map<Store, StreamPlan>): void {
  const refused = [...plans].flatMap(([{ stream }, plan]) =>
    plan.what === 'refuse' ? plan.why.map((why) => `  ${stream}: ${why}`) : [],
  );
  if (refused.length === 0) return;
  throw new TuttiError(
    'conflict',
    `the bus has what Tutti cannot rely on, and nothing was changed:\n${refused.join('\n')}`,
  );
}

async function carryOut(bus: Bus, store: Store, plan: StreamPlan, options: ProvisionOptions): Promise<void> {
  const { manager } = bus as unknown as NatsBusInternals;
  if (plan.what === 'make') await patiently(() => again(store.make), options);
  if (plan.what === 'change') await patiently(() => manager.streams.update(store.stream, plan.change), options);
  options.tell?.(`${store.stream}: ${said(plan)}`);
}

function said(plan: StreamPlan): string {
  switch (plan.what) {
    case 'make':
      return 'made';
    case 'keep':
      return 'as it should be';
    case 'change':
      return plan.says.join(', ');
    case 'refuse':
      return plan.why.join('; ');
    default:
      throw new Error(`unknown plan ${plan satisfies never}`);
  }
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

/** So does a cluster before all of its nodes are there. */
async function patiently(work: () => Promise<unknown>, { waitMs = 0, replicas }: ProvisionOptions): Promise<void> {
  const until = performance.now() + waitMs;
  for (;;) {
    try {
      await work();
      return;
    } catch (error) {
      if (!(error instanceof JetStreamApiError)) throw error;
      if (error.code === NOT_CLUSTERED)
        throw new TuttiError(
          'conflict',
          `${replicas} copies of each stream were asked for, but this NATS server is no cluster. Set TUTTI_NATS_REPLICAS=1, or NATS_URL to a cluster.`,
          { cause: error },
        );
      if (!COMING_UP.includes(error.code) || performance.now() > until) throw error;
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
