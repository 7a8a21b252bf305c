/**
 * Where memory keeps conversations and the projection of runs. Guarantees that every adapter gives (and
 * adapters/store-contract.ts checks):
 * - What a method has resolved for is durable, with one exception: an adapter may lose the newest `project` writes in a
 *   power loss as long as it loses each as a whole, its position included. The log brings them back.
 * - Nothing is visible across tenants: every read names its tenant and finds that tenant's rows alone. (`states` and
 *   `position` are the projector's own: they answer to no caller.)
 * - `project` may be repeated, in part or whole, in any order and by several processes at once: an entry is stored once
 *   under (run, n) and never changed, a late result once under (run, call); a run and an approval are replaced only by a later version; the position only moves
 *   forward, and never shows before all that lies below it.
 * - Lists are bounded by the caller's `limit`.
 * Errors: TuttiError `unavailable` where trying again may help, anything else where it will not.
 */
import type { ApprovalRecord, LateResult, RunEntry, RunStatus, RunView, Turn } from '@tutti/contracts';
import type { Position, ProjectionWrite } from '../core/group.ts';

export interface TenantTurn {
  tenant: string;
  turn: Turn;
}

/** What searching a session needs of a turn. */
export interface TurnText {
  run: string;
  input: string;
  output: string;
}

export interface RunsFilter {
  session?: string | undefined;
  agent?: string | undefined;
  status?: RunStatus | undefined;
  /** False: only runs without a parent. */
  children: boolean;
  /** Only what comes after this run in the list. */
  before?: string | undefined;
  limit: number;
}

export interface ApprovalsFilter {
  /** The run at the top, or the one that waits. */
  run?: string | undefined;
  status?: ApprovalRecord['status'] | undefined;
  limit: number;
}

export interface MemoryStore {
  /** A turn replaces the one of the same tenant and run. All or, on an error, possibly some are stored. */
  remember(turns: readonly TenantTurn[]): Promise<void>;
  /** The newest `limit` turns of a session, oldest first. */
  turns(tenant: string, session: string, limit: number): Promise<Turn[]>;
  /** The same turns without their actions, each text cut to `charsMax` characters. */
  turnTexts(tenant: string, session: string, limit: number, charsMax: number): Promise<TurnText[]>;
  /** These turns of a session, oldest first; those that are not there are left out. */
  turnsOf(tenant: string, session: string, runs: readonly string[]): Promise<Turn[]>;

  project(write: ProjectionWrite): Promise<void>;
  /** The stored states of these runs as JSON, in no order; unknown runs are left out. */
  states(runs: readonly string[]): Promise<string[]>;
  /** Everything of the stream up to here is projected. Null: nothing yet. */
  position(stream: string): Promise<Position | null>;
  /** Resolves when no power loss can take what `project` has resolved for before: from then on the log need not have it. */
  settle(): Promise<void>;

  /**
   * Removes what is kept of runs that ended before `endedBefore` (Unix ms): views, journals, approvals, late results, of every
   * tenant, those that were created first. A run goes together with all runs below it, and only when they have all ended.
   * At most `limit` runs without a parent, and what is below them. Resolves with how many runs are gone. Turns stay.
   */
  prune(endedBefore: number, limit: number): Promise<number>;
  /** What all of it takes, in bytes, without room that is free for what comes next. */
  bytes(): Promise<number>;

  run(tenant: string, run: string): Promise<RunView | null>;
  /** Newest first, by creation and then id. An unknown `before` is `invalid_request`. */
  runs(tenant: string, filter: RunsFilter): Promise<RunView[]>;
  /** Entries from version `after` + 1 on, in order. */
  journal(tenant: string, run: string, after: number, limit: number): Promise<RunEntry[]>;
  /** In the order in which they came; at most LATE.perRunMax, the first ones. */
  late(tenant: string, run: string): Promise<LateResult[]>;
  /** Newest first, by when they were asked for and then id. */
  approvals(tenant: string, filter: ApprovalsFilter): Promise<ApprovalRecord[]>;
  approval(tenant: string, approval: string): Promise<ApprovalRecord | null>;

  close(): Promise<void>;
}
