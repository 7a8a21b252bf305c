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
  /** A replica that nobody answers for during this time is gone. */
  goneMs: number;
}

export function createBusPeers({ bus, instance, isWorking, goneMs }: BusPeersOptions): Peers & { stop(): void } {
  const subscription = bus.subscribe(subjects.at(SERVICE, instance), (message) => {
    if (!message.reply) return;
    const question = WorkingQuestion.parse(JSON.parse(text.decode(message.data)));
    const answer = { v: 1, working: isWorking(question.tenant, question.callId) } as const;
    bus.publish(message.reply, bytes.encode(JSON.stringify(answer)));
  });

  async function askOnce(whom: string, tenant: string, callId: string): Promise<PeerState> {
    const question = bytes.encode(JSON.stringify({ v: 1, tenant, callId }));
    try {
      const reply = await bus.request(subjects.at(SERVICE, whom), question, ASK_TIMEOUT_MS);
      return WorkingAnswer.parse(JSON.parse(text.decode(reply))).working ? 'working' : 'idle';
    } catch (error) {
      if (error instanceof TuttiError && error.code === 'unavailable') return 'gone';
      if (error instanceof TuttiError && error.code === 'timeout') return 'silent';
      throw error;
    }
  }

  return {
    async ask(whom, tenant, callId, signal) {
      if (whom === instance) return isWorking(tenant, callId) ? 'working' : 'idle';
      let goneSince: number | undefined;
      for (;;) {
        signal.throwIfAborted();
        const state = await askOnce(whom, tenant, callId);
        if (state !== 'gone') return state;
        // "Nobody answers" may be said of our own connection: only while we reach ourselves does it mean the other.
        if ((await askOnce(instance, tenant, callId)) === 'gone') return 'silent';
        goneSince ??= performance.now();
        if (performance.now() - goneSince >= goneMs) return 'gone';
        await sleep(ASK_AGAIN_MS, undefined, { signal }).catch(() => {});
      }
    },
    stop: () => subscription.stop(),
  };
}
