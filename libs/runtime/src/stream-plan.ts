/**
 * What provisioning does about a stream: made, changed, left as it is, or refused. Pure. Invariant: nothing is ever
 * changed so that a message is kept for less time, in fewer copies or no longer at all; what would have to be is a
 * refusal that says what to do.
 */
import { DiscardPolicy, RetentionPolicy, StorageType, type StreamConfig } from '@nats-io/jetstream';
import type { StreamSpec } from '@tutti/contracts';

const NANOS_PER_MS = 1e6;
const HOUR_MS = 3_600_000;

export type StreamPlan =
  | { what: 'make' }
  | { what: 'keep' }
  | { what: 'change'; change: Partial<StreamConfig>; says: string[] }
  | { what: 'refuse'; why: string[] };

/** As a stream is made anew. */
export function configOf(spec: StreamSpec, replicas: number): Partial<StreamConfig> & { name: string } {
  return {
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
}

export function planStream(spec: StreamSpec, there: StreamConfig | undefined, replicas: number): StreamPlan {
  if (!there) return { what: 'make' };
  const why = [...storeRefusals(there), ...sizeRefusals(there), ...perSubjectRefusals(spec, there)];
  if (why.length > 0) return { what: 'refuse', why };
  const changes = [
    replicaChange(there, replicas),
    subjectChange(spec, there),
    ageChange(spec.maxAgeMs ?? 0, there),
    ...featureChanges(spec, there),
  ].filter((change) => change !== undefined);
  if (changes.length === 0) return { what: 'keep' };
  return {
    what: 'change',
    change: Object.assign({}, ...changes.map(({ set }) => set)),
    says: changes.map(({ says }) => says),
  };
}

/** Of the stream behind a bucket or an object store: the client makes those, we look after what they keep and how often. */
export function planStore(maxAgeMs: number, there: StreamConfig | undefined, replicas: number): StreamPlan {
  if (!there) return { what: 'make' };
  const why = [...storeRefusals(there), ...sizeRefusals(there)];
  if (why.length > 0) return { what: 'refuse', why };
  const changes = [replicaChange(there, replicas), ageChange(maxAgeMs, there)].filter((change) => change !== undefined);
  if (changes.length === 0) return { what: 'keep' };
  return {
    what: 'change',
    change: Object.assign({}, ...changes.map(({ set }) => set)),
    says: changes.map(({ says }) => says),
  };
}

interface Change {
  set: Partial<StreamConfig>;
  says: string;
}

function storeRefusals(there: StreamConfig): string[] {
  const why: string[] = [];
  if (there.storage !== StorageType.File)
    why.push('it is kept in memory and gone with its server: copy what is in it, remove it, and provision again');
  if (there.retention !== RetentionPolicy.Limits)
    why.push(
      `its retention is "${there.retention}", which removes what has been read: copy what is in it, remove it, and provision again`,
    );
  if (there.sealed) why.push('it is sealed: nothing can be written to it');
  if (there.deny_purge || there.deny_delete)
    why.push('deletes are denied in it, so that it grows without end: allow them (nats stream edit)');
  return why;
}

/** A full stream that drops its oldest messages drops what nobody has read. One that refuses the newest loses nothing. */
function sizeRefusals(there: StreamConfig): string[] {
  if (there.discard === DiscardPolicy.New) return [];
  // The server lets streams with schedules only ever drop the oldest.
  const otherwise = there.allow_msg_schedules ? '' : ', or discard to "new"';
  return (['max_bytes', 'max_msgs'] as const)
    .filter((limit) => there[limit] > 0)
    .map(
      (limit) =>
        `with ${limit} ${there[limit]} and discard "old" it drops its oldest messages when it is full, read or not: set the limit to -1${otherwise}`,
    );
}

function perSubjectRefusals(spec: StreamSpec, there: StreamConfig): string[] {
  const limit = there.max_msgs_per_subject;
  if (spec.lastPerSubject && limit !== 1)
    return [
      `it keeps ${limit < 1 ? 'all messages' : `${limit} messages`} of each subject where one is expected: all but the last would be deleted. Make sure that nobody needs them, and set max_msgs_per_subject to 1`,
    ];
  if (!spec.lastPerSubject && limit > 0)
    return [`it keeps ${limit} messages of each subject and drops the others: set max_msgs_per_subject to -1`];
  return [];
}

function replicaChange(there: StreamConfig, replicas: number): Change | undefined {
  // A process that was not told how many copies there are must not take some away.
  if (there.num_replicas >= replicas) return undefined;
  return { set: { num_replicas: replicas }, says: `copies ${there.num_replicas} → ${replicas}` };
}

/** Only ever more: another version may write to what this one does not know. */
function subjectChange(spec: StreamSpec, there: StreamConfig): Change | undefined {
  const missing = spec.subjects.filter((subject) => !there.subjects?.includes(subject));
  if (missing.length === 0) return undefined;
  return {
    set: { subjects: [...(there.subjects ?? []), ...missing] },
    says: `takes ${missing.join(', ')} too`,
  };
}

/** 0: for ever. Only ever longer. */
function ageChange(wantedMs: number, there: StreamConfig): Change | undefined {
  const is = there.max_age / NANOS_PER_MS;
  if (is === 0 || (wantedMs !== 0 && is >= wantedMs)) return undefined;
  const hours = (ms: number) => (ms === 0 ? 'for ever' : `${ms / HOUR_MS} h`);
  return { set: { max_age: wantedMs * NANOS_PER_MS }, says: `kept ${hours(is)} → ${hours(wantedMs)}` };
}

function featureChanges(spec: StreamSpec, there: StreamConfig): Change[] {
  const changes: Change[] = [];
  if (!there.allow_direct) changes.push({ set: { allow_direct: true }, says: 'direct reads' });
  const windowNanos = (spec.duplicateWindowMs ?? 0) * NANOS_PER_MS;
  if (there.duplicate_window < windowNanos)
    changes.push({
      set: { duplicate_window: windowNanos },
      says: `repeats known for ${there.duplicate_window / NANOS_PER_MS} → ${spec.duplicateWindowMs} ms`,
    });
  if (spec.schedules && !(there.allow_msg_schedules && there.allow_msg_ttl))
    changes.push({ set: { allow_msg_schedules: true, allow_msg_ttl: true }, says: 'schedules' });
  return changes;
}
