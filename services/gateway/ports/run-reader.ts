/**
 * What can be known of runs and approvals. Guarantees: the owner of a partition is asked first, because its word is the
 * newest; memory is asked for what the owner does not hold (any more), and a run that nobody took in yet is seen from
 * its start message. Another tenant's things are as unknown as things that do not exist.
 */
import type { ApprovalRecord, RunEntry, RunView } from '@tutti/contracts';

export interface RunReader {
  /** Null: there is no such run. Throws `unavailable` when that cannot be known right now. */
  run(tenant: string, run: string): Promise<RunView | null>;
  /** The owner's word alone; null when it is not there or does not know the run. */
  ownersRun(tenant: string, run: string): Promise<RunView | null>;
  /**
   * Entries after version `after`, in order, as many as one reading gives (perhaps none yet). Of a run that the caller
   * knows to be the tenant's. Throws `unavailable` when neither owner nor memory answers.
   */
  entries(tenant: string, run: string, after: number): Promise<RunEntry[]>;
  /** Open approvals of a run and everything below it, or null when the owner does not know. */
  openApprovals(run: string): Promise<ApprovalRecord[] | null>;
  /** Null: there is no such approval. Throws `unavailable` when that cannot be known right now. */
  approval(tenant: string, approval: string): Promise<ApprovalRecord | null>;
}
