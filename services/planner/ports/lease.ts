/**
 * Leases: who holds which partition now, and which planners there are. Hints: they find an owner and spread partitions;
 * what keeps a stalled owner out is the log. Guarantees: `claim` and `renew` succeed for at most one planner per revision.
 */
export interface LeaseSeen {
  /** Counts up with every change. */
  revision: number;
  /** The planner that holds it; null: given back. */
  holder: string | null;
}

/** What a planner says of itself with every sign of life. */
export interface Sign {
  /** The newest log format that it reads. */
  format: number;
  /** Partitions that it found a later format in. */
  beyond: number[];
}

/** `sign` null: the planner has gone. */
export type LeaseChange =
  | { kind: 'lease'; partition: number; seen: LeaseSeen }
  | { kind: 'planner'; planner: string; revision: number; sign: Sign | null };

export interface Leases {
  /** Told of every lease and every planner, at first all that are there (then `ready` resolves). */
  watch(handler: (change: LeaseChange) => void): Promise<{ ready: Promise<void>; stop(): void }>;
  /** Says that this planner is there. */
  announce(planner: string, sign: Sign): Promise<void>;
  /** Forgets a planner; with `revision` only if it has given no sign since. */
  withdraw(planner: string, revision?: number): Promise<void>;
  /** Takes a lease that nobody holds, or whose holder has not moved it from `revision`. Rejects with BusConflict when somebody was faster. */
  claim(partition: number, planner: string, revision: number | null): Promise<number>;
  renew(partition: number, planner: string, revision: number): Promise<number>;
  /** Gives it back, if it still has this revision. */
  release(partition: number, revision: number): Promise<void>;
  /** As it is now; null: nobody holds it. */
  look(partition: number): Promise<LeaseSeen | null>;
}
