/**
 * Tells whoever watches a run how far a tool under way is, on the run's live subject. Hints: the newest word counts, a few a
 * second at most go out, and none after the call has ended.
 */
import { type LiveMessage, subjects } from '@tutti/contracts';
import type { Bus } from '@tutti/runtime';
import type { Call, Progress } from './broker/types.ts';

export const PROGRESS_EVERY_MS = 200;
export const PROGRESS_CHARS_MAX = 500;

const encoder = new TextEncoder();

/** Undefined: nobody can watch the call. */
export function createLiveProgress(
  bus: Pick<Bus, 'publish'>,
  { request, tool }: Pick<Call, 'request' | 'tool'>,
): Progress | undefined {
  const { tenant, root, run, callId } = request;
  if (root === undefined || run === undefined) return undefined;
  const subject = subjects.live(tenant, root);
  let held: string | undefined;
  let pause: NodeJS.Timeout | undefined;
  let ended = false;

  function publish(text: string): void {
    const event = { type: 'progress' as const, run: run!, callId, tool: tool.name, text };
    bus.publish(subject, encoder.encode(JSON.stringify({ v: 1, events: [event] } satisfies LiveMessage)));
    pause = setTimeout(() => {
      pause = undefined;
      const next = held;
      held = undefined;
      if (next !== undefined) publish(next);
    }, PROGRESS_EVERY_MS);
  }
  return {
    say(text) {
      if (ended) return;
      const cut = text.slice(0, PROGRESS_CHARS_MAX);
      if (pause === undefined) publish(cut);
      else held = cut;
    },
    end() {
      ended = true;
      clearTimeout(pause);
    },
  };
}
