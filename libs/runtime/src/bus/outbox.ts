/**
 * What a connection sends in one turn of the event loop leaves together, in one write to the socket: a write costs more
 * than all else that a small message does. Invariants: messages leave in the order in which they were added; at the
 * latest the turn after; one that cannot be sent takes none of the others with it.
 */
import type { Logger } from '../log.ts';

export interface Outgoing {
  subject: string;
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
      schedule();
    },
    before(action) {
      actions.push(action);
      schedule();
    },
    flush,
  };
}
