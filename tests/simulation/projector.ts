/**
 * Memory's projection of the log: follows it from where it was, through deaths of its own, and tells how far it has come,
 * so that what lies before may be purged. It must see every entry once and in order, whatever is purged meanwhile.
 */
import { BUCKETS, type LogBatch, logStreamOf, type RunEntry } from '@tutti/contracts';
import type { Bus } from '@tutti/runtime';
import type { MemoryServer, VirtualProcess } from '@tutti/testkit';
import type { Evidence } from './evidence.ts';

const TELL_EVERY_MS = 500;
const RETRY_MS = 300;
const encoder = new TextEncoder();

export class Projection {
  /** By run; what a read of memory gives. */
  readonly journals = new Map<string, RunEntry[]>();
  /** By stream: up to where all is projected. Stored together with the entries. */
  readonly positions = new Map<string, number>();
  entries = 0;
}

export interface ProjectorDeps {
  server: MemoryServer;
  evidence: Evidence;
  projection: Projection;
  partitions: number;
  logStreams: number;
}

export function startProjector(process: VirtualProcess, deps: ProjectorDeps): void {
  const bus = deps.server.connect(process);
  const streams = new Set(Array.from({ length: deps.partitions }, (_, i) => logStreamOf(i, deps.logStreams)));
  for (const stream of streams) void follow(process, bus, stream, deps);
  const told = new Map<number, number>();
  process.clock.every(TELL_EVERY_MS, () => void tell(bus, deps, told).catch(() => {}));
}

async function follow(process: VirtualProcess, bus: Bus, stream: string, deps: ProjectorDeps): Promise<void> {
  const { projection } = deps;
  for (;;) {
    try {
      await bus.follow(stream, ['tutti.log.*'], (projection.positions.get(stream) ?? 0) + 1, (message) => {
        // Each at least once: a repeat is known by its position.
        if (message.sequence <= (projection.positions.get(stream) ?? 0)) return;
        project(deps.evidence.batchOf(message), deps);
        projection.positions.set(stream, message.sequence);
      });
      return;
    } catch {
      await process.clock.sleep(RETRY_MS);
    }
  }
}

function project(batch: LogBatch, { projection, evidence }: ProjectorDeps): void {
  for (const entry of batch.entries) {
    const journal = projection.journals.get(entry.run) ?? [];
    projection.journals.set(entry.run, journal);
    if (entry.n !== journal.length + 1)
      evidence.notice('projection', `memory has ${journal.length} entries of run ${entry.run}, then comes ${entry.n}`);
    journal.push(entry);
    projection.entries++;
  }
}

/** Again only where it has moved, as the real one does. */
async function tell(bus: Bus, deps: ProjectorDeps, told: Map<number, number>): Promise<void> {
  const { projection, partitions, logStreams } = deps;
  for (let partition = 0; partition < partitions; partition++) {
    const at = projection.positions.get(logStreamOf(partition, logStreams));
    if (at === undefined || told.get(partition) === at) continue;
    await (await bus.bucket(BUCKETS.positions)).put(`memory.${partition}`, encoder.encode(String(at)));
    told.set(partition, at);
  }
}
