/** What the projection keeps of a run: its view, and while it is under way what is open in it. */
import type { ApprovalRecord, QuestionRecord, RunView } from '@tutti/contracts';

/** What a child run (or a run below it) waits for. */
export interface ChildWaits {
  /** Ids of its approvals. */
  approvals: string[];
  questions: QuestionRecord[];
  sleeps: boolean;
}

export interface OpenWork {
  /** Call ids of the run's own steps that were asked for and have neither ended nor wait for a human. */
  steps: string[];
  /** The run's own approvals that are pending. */
  approvals: ApprovalRecord[];
  /** The run's own questions that nobody has answered. */
  questions: QuestionRecord[];
  /** Call ids of the run's own sleeps. */
  sleeping: string[];
  /** It is still in the entries that it has from the run that it is a fork of. */
  prefix?: boolean | undefined;
  /** Child run → what it waits for; only where there is anything. */
  children: Record<string, ChildWaits>;
}

/** Stored as JSON (stored-state.ts): `v` says in which shape. */
export interface RunState {
  v: 2;
  view: RunView;
  /** Null once the run has ended. */
  open: OpenWork | null;
}
