/**
 * Many log messages as one write: folds their entries into the runs and says what could not be placed. Pure.
 * Invariant: `write` holds everything that follows from the messages, their position included, so that storing it as a
 * whole moves the projection from one position of the stream to a later one.
 */
import type { ApprovalRecord, LateResult, LogBatch, RunEntry } from '@tutti/contracts';
import { cut } from './bound-turn.ts';
import { project } from './project.ts';
import type { RunState } from './run-state.ts';

/** A place in a stream. `storedAt` tells a stream that was made anew from the one that it replaced. */
export interface Position {
  sequence: number;
  /** When the stream stored the message at `sequence`, Unix milliseconds. */
  storedAt: number;
}

/** `version`: n of the entry that made the change. */
export interface ApprovalChange {
  tenant: string;
  version: number;
  record: ApprovalRecord;
}

export interface ProjectionWrite {
  stream: string;
  position: Position;
  entries: { tenant: string; entry: RunEntry }[];
  /** Each run once, in its last state. */
  runs: RunState[];
  /** Each approval once. */
  approvals: ApprovalChange[];
  late: LateChange[];
}

export interface LateChange {
  tenant: string;
  run: string;
  result: LateResult;
}

/** What is kept of results that came too late: so many a run, the first ones, each cut. */
export const LATE = { perRunMax: 50, contentCharsMax: 4_000 } as const;

export interface LoggedBatch {
  position: Position;
  batch: LogBatch;
}

/** An entry whose place in its run is not known. */
export interface Misplaced {
  position: Position;
  entry: RunEntry;
  reason: string;
}

/** Runs that must be looked up before these batches can be folded: known neither to the cache nor opened in here. */
export function runsNeeded(batches: readonly LoggedBatch[], known: (run: string) => boolean): string[] {
  const needed = new Set<string>();
  const opened = new Set<string>();
  for (const { batch } of batches)
    for (const { run, type } of batch.entries) {
      if (type === 'run.accepted') opened.add(run);
      else if (!opened.has(run) && !known(run)) needed.add(run);
    }
  for (const { run } of batches.flatMap(lateIn)) if (!opened.has(run) && !known(run)) needed.add(run);
  return [...needed];
}

/**
 * `to`: where the projection stands once the write is stored. `stateOf`: what is known of a run before these batches, or null. Entries that the state has already are left out.
 * A hole in a known run (entries that the log no longer had) is reported and passed over: a run that shows its end with
 * a hole in its journal is better than one that shows as running for ever.
 */
export function fold(
  to: { stream: string; position: Position },
  batches: readonly LoggedBatch[],
  stateOf: (run: string) => RunState | null,
): { write: ProjectionWrite; misplaced: Misplaced[] } {
  const states = new Map<string, RunState>();
  const approvals = new Map<string, ApprovalChange>();
  const misplaced: Misplaced[] = [];
  const write: ProjectionWrite = { ...to, entries: [], runs: [], approvals: [], late: [] };
  for (const { position, batch } of batches)
    for (const entry of batch.entries) {
      const before = states.get(entry.run) ?? stateOf(entry.run);
      if (before && entry.n <= before.view.version) continue;
      if (before && !before.open) {
        misplaced.push({ position, entry, reason: `entry ${entry.n} after the end of the run` });
        continue;
      }
      const expected = (before?.view.version ?? 0) + 1;
      if (entry.n !== expected)
        misplaced.push({
          position,
          entry,
          reason: `entry ${entry.n} where ${expected} was expected: the run has a hole`,
        });
      const after = project(before, entry);
      if (!after) {
        if (entry.n === expected)
          misplaced.push({ position, entry, reason: `the first entry of a run is ${entry.type}, not run.accepted` });
        continue;
      }
      states.set(entry.run, after.state);
      const { tenant } = after.state.view;
      write.entries.push({ tenant, entry });
      for (const record of after.approvals) approvals.set(record.id, { tenant, version: entry.n, record });
    }
  write.runs = [...states.values()];
  write.approvals = [...approvals.values()];
  for (const { run, callId, tool, ok, content, at } of batches.flatMap(lateIn)) {
    const state = states.get(run) ?? stateOf(run);
    // Of a run that is not known here nothing can be said.
    if (!state) continue;
    const result = {
      callId,
      ...(tool === undefined ? {} : { tool }),
      ok,
      content: cut(content, LATE.contentCharsMax),
      at,
    };
    write.late.push({ tenant: state.view.tenant, run, result });
  }
  return { write, misplaced };
}

function lateIn({ batch }: LoggedBatch) {
  return batch.partition.flatMap((entry) => (entry.type === 'result.late' ? [entry] : []));
}
