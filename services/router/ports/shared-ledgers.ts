/**
 * Values that all replicas change together, a key each. Guarantees:
 * - The operations of one key take effect one after another, as if there were one router; each takes effect once.
 * - An outcome is given when the change is stored. A refusal is never decided on a value that is known to be old.
 * - `submit` rejects with TuttiError `unavailable` when it could not be stored by `giveUpAt`; the operation may then
 *   still have taken effect.
 * - What has time (`withinMs`) waits so long for others of its key, to be stored with them.
 */
export interface SharedLedgers<Ledger, Operation, Outcome> {
  submit(key: string, operation: Operation, giveUpAt: number, withinMs?: number): Promise<Outcome>;
  /** As it was when this process last read or wrote it; undefined: it never did. */
  peek(key: string): Ledger | undefined;
  /** As it is stored now, with all that was submitted here before. */
  read(key: string): Promise<Ledger>;
  /** Resolves when everything that was submitted has been settled one way or the other. */
  idle(): Promise<void>;
}

/** The rules of one kind of ledger: pure. `changed` false: there is nothing to store. */
export interface LedgerRules<Ledger, Operation, Outcome> {
  empty: Ledger;
  /** Throws when it is no such ledger. */
  parse(value: unknown): Ledger;
  apply(
    ledger: Ledger,
    operations: readonly Operation[],
    now: number,
  ): { ledger: Ledger; outcomes: Outcome[]; changed: boolean };
}
