/** What the projection keeps of a run: its view, and while it is under way what is open in it. */
import type { ApprovalRecord, RunView } from '@tutti/contracts';

export interface OpenWork {
  /** Call ids of the run's own steps that were asked for and have neither ended nor wait for a human. */
  steps: string[];
  /** The run's own approvals that are pending. */
  approvals: ApprovalRecord[];
  /** Child run → the ids of the approvals that it (or a run below it) waits for; only where there are any. */
  children: Record<string, string[]>;
}

/** Stored as JSON (stored-state.ts): `v` says in which shape. */
export interface RunState {
  v: 1;
  view: RunView;
  /** Null once the run has ended. */
  open: OpenWork | null;
}
