/**
 * What a connection sends in one turn of the event loop leaves together, in one write to the socket: a write costs more
 * than all else that a small message does. Enough for a write of its own does not wait for the turn to end.
 * Invariants: messages leave in the order in which they were added; at the latest the turn after; one that cannot be
 * sent takes none of the others with it.
 */
import type { Logger } from '../log.ts';

/** What is worth a write. */
const ENOUGH_BYTES = 16_384;

export interface Outgoing {
  subject: string;
  bytes: number;
  send(): void;
  /** Told instead of the log. */
  failed?(error: unknown): void;
}

export interface Outbox {
  add(message: Outgoing): void;
  /** Runs before what was added this turn leaves, so that what it adds leaves with it. Must not put itself back. */
  before(action: () => void): void;
  /** All that was added leaves now. */
  flush(): void;
}

export function createOutbox(log: Logger): Outbox {
  let actions: (() => void)[] = [];
  let messages: Outgoing[] = [];
  let bytes = 0;
  let scheduled = false;

  function schedule(): void {
    if (scheduled) return;
    scheduled = true;
    setImmediate(turn);
  }

  function turn(): void {
    scheduled = false;
    const due = actions;
    // Those that come up while these run are run too.
    for (let i = 0; i < due.length; i++) {
      try {
        due[i]!();
      } catch (error) {
        log.error({ err: error }, 'what was to be done before sending threw');
      }
    }
    actions = [];
    flush();
  }

  function flush(): void {
    if (messages.length === 0) return;
    const leaving = messages;
    messages = [];
    bytes = 0;
    for (const message of leaving) {
      try {
        message.send();
      } catch (error) {
        if (message.failed) message.failed(error);
        else log.warn({ error: (error as Error).message, subject: message.subject }, 'a message could not be sent');
      }
    }
  }

  return {
    add(message) {
      messages.push(message);
      bytes += message.bytes;
      if (bytes >= ENOUGH_BYTES) flush();
      else schedule();
    },
    before(action) {
      actions.push(action);
      schedule();
    },
    flush,
  };
}
