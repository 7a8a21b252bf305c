/**
 * What is chosen once for a bus and kept in its settings: how many partitions there are, and over how many streams their
 * logs are spread. Invariant: neither changes afterwards; whoever asks for another number is refused and told what to do.
 */
import { BUCKETS, STREAMS, TuttiError } from '@tutti/contracts';
import { type Bus, BusConflict } from './bus/port.ts';

export const PARTITIONS_DEFAULT = 4;
export const PARTITIONS_MAX = 256;
const LOG_STREAMS_DEFAULT = 1;

/** Undefined: what is there, or the default. */
export interface WantedSettings {
  partitions?: number | undefined;
  logStreams?: number | undefined;
}
export interface Settings {
  partitions: number;
  logStreams: number;
}

/** Sets what nobody has set yet, and refuses another number than is there. */
export async function chooseSettings(bus: Bus, wanted: WantedSettings): Promise<Settings> {
  let there = await readSettings(bus);
  if (!there) {
    const { partitions, logStreams } = settingsFor(wanted);
    // In this order: who finds partitions without log streams is on a bus from before there could be several.
    there = {
      logStreams: await choose(bus, 'log_streams', logStreams),
      partitions: await choose(bus, 'partitions', partitions),
    };
  }
  return agreed(there, wanted);
}

/** What `chooseSettings` comes to where this is there: nothing is chosen. Throws what it would refuse. */
export function agreed(there: Settings | undefined, wanted: WantedSettings): Settings {
  if (!there) return settingsFor(wanted);
  refuseOthers(there, wanted);
  return there;
}

function settingsFor(wanted: WantedSettings): Settings {
  const partitions = inRange('TUTTI_PARTITIONS', wanted.partitions, PARTITIONS_DEFAULT);
  const logStreams = inRange('TUTTI_LOG_STREAMS', wanted.logStreams, LOG_STREAMS_DEFAULT, partitions);
  return { partitions, logStreams };
}

/**
 * For a process that does not provision: what it was told must be what is there. `required`: that something is there;
 * `unavailable` where nothing is.
 */
export async function checkSettings(bus: Bus, wanted: WantedSettings, required = false): Promise<void> {
  if (!required && wanted.partitions === undefined && wanted.logStreams === undefined) return;
  const there = await readSettings(bus).catch((error) => {
    if (!required) throw error;
    throw new TuttiError('unavailable', 'the bus is not provisioned yet', { cause: error });
  });
  if (there) refuseOthers(there, wanted);
  else if (required) throw new TuttiError('unavailable', 'the bus is not provisioned yet');
}

/** Undefined when nothing was provisioned yet. */
export async function readSettings(bus: Bus): Promise<Settings | undefined> {
  const partitions = await read(bus, 'partitions');
  if (partitions === undefined) return undefined;
  return { partitions, logStreams: (await read(bus, 'log_streams')) ?? LOG_STREAMS_DEFAULT };
}

/** The number of partitions that was chosen, or undefined when nothing was provisioned yet. */
export async function readPartitions(bus: Bus): Promise<number | undefined> {
  return read(bus, 'partitions');
}

async function read(bus: Bus, key: string): Promise<number | undefined> {
  const entry = await (await bus.bucket(BUCKETS.settings)).get(key);
  return entry ? Number(new TextDecoder().decode(entry.value)) : undefined;
}

/** Whoever is first decides. */
async function choose(bus: Bus, key: string, value: number): Promise<number> {
  try {
    await (await bus.bucket(BUCKETS.settings)).create(key, new TextEncoder().encode(String(value)));
    return value;
  } catch (error) {
    if (!(error instanceof BusConflict)) throw error;
    return (await read(bus, key))!;
  }
}

function inRange(name: string, wanted: number | undefined, byDefault: number, max = PARTITIONS_MAX): number {
  const count = wanted ?? byDefault;
  if (Number.isInteger(count) && count >= 1 && count <= max) return count;
  const why = name === 'TUTTI_LOG_STREAMS' ? ', the number of partitions' : '';
  throw new TuttiError('invalid_request', `${name} must be a whole number from 1 to ${max}${why}, not ${count}`);
}

function refuseOthers(there: Settings, wanted: WantedSettings): void {
  if (wanted.partitions !== undefined && wanted.partitions !== there.partitions)
    throw new TuttiError(
      'conflict',
      `this bus was set up with ${there.partitions} partitions, but TUTTI_PARTITIONS asks for ${wanted.partitions}. The number is chosen once: sessions would move away from their logs. Set TUTTI_PARTITIONS=${there.partitions} or use a new NATS.`,
    );
  if (wanted.logStreams !== undefined && wanted.logStreams !== there.logStreams)
    throw new TuttiError(
      'conflict',
      `this bus was set up with ${there.logStreams} log ${there.logStreams === 1 ? `stream (${STREAMS.log.name})` : 'streams'}, but TUTTI_LOG_STREAMS asks for ${wanted.logStreams}. The number is chosen once: logs do not move between streams. Set TUTTI_LOG_STREAMS=${there.logStreams}; for another number use a new NATS, to which clients move once the runs here have ended.`,
    );
}
