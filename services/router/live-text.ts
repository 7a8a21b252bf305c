/**
 * Publishes an answer's text as it comes, one message a tick at most. Invariant: within one call `attempt` only grows,
 * nothing of an earlier attempt is published after a later one has begun, and one that dies after something of it was
 * published is called void (`superseded`).
 */
import { type LiveEvent, type LiveMessage, subjects } from '@tutti/contracts';
import type { Bus } from '@tutti/runtime';

const encoder = new TextEncoder();

export interface LiveText {
  /** A new try: what was published before is void. Returns where its text goes. */
  begin(): (text: string) => void;
  /** Sends what is held back. */
  flush(): void;
  /** The try that began last has died. */
  supersede(reason: string): void;
}

export function createLiveText(
  bus: Pick<Bus, 'publish'>,
  target: { tenant: string; root: string; run: string; callId: string },
): LiveText {
  const subject = subjects.live(target.tenant, target.root);
  const { run, callId } = target;
  let attempt = 0;
  let held = '';
  let published = false;
  let scheduled: NodeJS.Immediate | undefined;

  function publish(event: LiveEvent): void {
    const message: LiveMessage = { v: 1, events: [event] };
    bus.publish(subject, encoder.encode(JSON.stringify(message)));
  }

  function flush(): void {
    clearImmediate(scheduled);
    scheduled = undefined;
    if (!held) return;
    const text = held;
    held = '';
    published = true;
    publish({ type: 'token', run, callId, attempt, text });
  }

  return {
    begin() {
      flush();
      published = false;
      const mine = ++attempt;
      return (text) => {
        if (mine !== attempt) return;
        held += text;
        scheduled ??= setImmediate(flush);
      };
    },
    flush,
    supersede(reason) {
      // nobody has seen it: it need not have been
      held = '';
      if (published) publish({ type: 'superseded', run, callId, attempt, reason });
      published = false;
    },
  };
}
