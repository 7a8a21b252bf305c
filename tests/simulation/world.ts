/**
 * The world outside: things that tools do to it, and the ledger in which the tools service keeps what it did, as the
 * real one does: an intent before, an outcome after, one call id one effect. Outlives every process.
 */

export interface Effect {
  /** What was meant to happen once: made by the model that wanted it, so the same under whatever call id it is done. */
  key: string;
  tool: string;
  run: string;
  at: number;
  approved: boolean;
}

export type LedgerRecord =
  | { state: 'intent'; by: object }
  | { state: 'outcome'; content: string; effect: 'keyed' | 'irreversible' };

export interface RememberedTurn {
  run: string;
  at: number;
  input: string;
  output: string;
}

export class World {
  /** Every time that something was done, by call id: a second time under the same call id is recognised outside. */
  readonly effects = new Map<string, Effect>();
  readonly ledger = new Map<string, LedgerRecord>();
  /** Turns by session, in the order in which they were stored first. */
  readonly turns = new Map<string, RememberedTurn[]>();

  /** The remote side knows repeats by their call id. */
  act(callId: string, effect: Effect): void {
    if (!this.effects.has(callId)) this.effects.set(callId, effect);
  }
  happened(callId: string): boolean {
    return this.effects.has(callId);
  }

  remember(session: string, turn: RememberedTurn): void {
    const turns = this.turns.get(session) ?? [];
    this.turns.set(session, turns);
    if (!turns.some((known) => known.run === turn.run)) turns.push(turn);
  }
}
