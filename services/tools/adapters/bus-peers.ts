/** Other replicas, asked on a subject of each one's own. Answers for this one too. */
import { setTimeout as sleep } from 'node:timers/promises';
import { subjects, TuttiError, WorkingAnswer, WorkingQuestion } from '@tutti/contracts';
import type { Bus } from '@tutti/runtime';
import type { PeerState, Peers } from '../ports/peers.ts';

const ASK_TIMEOUT_MS = 1_000;
const ASK_AGAIN_MS = 100;
const SERVICE = 'tools';
const text = new TextDecoder();
const bytes = new TextEncoder();

export interface BusPeersOptions {
  bus: Bus;
  instance: string;
  isWorking(tenant: string, callId: string): boolean;
  /** Was the attempt with this token given up before anything was sent? */
  isUnsent(token: string): boolean;
  /** A replica that nobody answers for during this time is gone. */
  goneMs: number;
}

export function createBusPeers({
  bus,
  instance,
  isWorking,
  isUnsent,
  goneMs,
}: BusPeersOptions): Peers & { stop(): void } {
  const subscription = bus.subscribe(subjects.at(SERVICE, instance), (message) => {
    if (!message.reply) return;
    const question = WorkingQuestion.parse(JSON.parse(text.decode(message.data)));
    const { tenant, callId, token } = question;
    const answer = {
      v: 1,
      working: isWorking(tenant, callId),
      ...(token !== undefined && isUnsent(token) ? { unsent: true } : {}),
    } as const;
    bus.publish(message.reply, bytes.encode(JSON.stringify(answer)));
  });

  async function askOnce(whom: string, token: string, tenant: string, callId: string): Promise<PeerState> {
    const question = bytes.encode(JSON.stringify({ v: 1, tenant, callId, token }));
    try {
      const reply = await bus.request(subjects.at(SERVICE, whom), question, ASK_TIMEOUT_MS);
      return stateOf(WorkingAnswer.parse(JSON.parse(text.decode(reply))));
    } catch (error) {
      if (error instanceof TuttiError && error.code === 'unavailable') return 'gone';
      if (error instanceof TuttiError && error.code === 'timeout') return 'silent';
      throw error;
    }
  }

  return {
    async ask({ instance: whom, token }, tenant, callId, signal) {
      if (whom === instance) return stateOf({ working: isWorking(tenant, callId), unsent: isUnsent(token) });
      let goneSince: number | undefined;
      for (;;) {
        signal.throwIfAborted();
        const state = await askOnce(whom, token, tenant, callId);
        if (state !== 'gone') return state;
        // "Nobody answers" may be said of our own connection: only while we reach ourselves does it mean the other.
        if ((await askOnce(instance, token, tenant, callId)) === 'gone') return 'silent';
        goneSince ??= performance.now();
        if (performance.now() - goneSince >= goneMs) return 'gone';
        await sleep(ASK_AGAIN_MS, undefined, { signal }).catch(() => {});
      }
    },
    stop: () => subscription.stop(),
  };
}

/** Of an attempt that was given up another may be under way, so this comes first. */
function stateOf({ working, unsent }: { working: boolean; unsent?: boolean | undefined }): PeerState {
  return unsent ? 'unsent' : working ? 'working' : 'idle';
}
