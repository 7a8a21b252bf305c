/**
 * Publishes an answer's text as it comes, one message a tick at most. Invariant: within one call `attempt` only grows, and
 * nothing of an earlier attempt is published after a later one has begun.
 */
import { type LiveMessage, subjects } from '@tutti/contracts';
import type { Bus } from '@tutti/runtime';

const encoder = new TextEncoder();

export interface LiveText {
  /** A new try: what was published before is void. Returns where its text goes. */
  begin(): (text: string) => void;
  /** Sends what is held back. */
  flush(): void;
}

export function createLiveText(
  bus: Pick<Bus, 'publish'>,
  target: { tenant: string; root: string; run: string; callId: string },
): LiveText {
  const subject = subjects.live(target.tenant, target.root);
  let attempt = 0;
  let held = '';
  let scheduled: NodeJS.Immediate | undefined;

  function flush(): void {
    clearImmediate(scheduled);
    scheduled = undefined;
    if (!held) return;
    const message: LiveMessage = {
      v: 1,
      events: [{ type: 'token', run: target.run, callId: target.callId, attempt, text: held }],
    };
    held = '';
    bus.publish(subject, encoder.encode(JSON.stringify(message)));
  }

  return {
    begin() {
      flush();
      const mine = ++attempt;
      return (text) => {
        if (mine !== attempt) return;
        held += text;
        scheduled ??= setImmediate(flush);
      };
    },
    flush,
  };
}
