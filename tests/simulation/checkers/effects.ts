/** Whether the world outside saw each thing at most once, only what the log had asked for, and nothing without its approval. */
import { isEnd } from '@tutti/contracts';
import { NEEDS_APPROVAL } from '../agents.ts';
import type { Checker } from './index.ts';

const twice: Checker = {
  name: 'twice',
  check({ world }) {
    const seen = new Map<string, string>();
    const problems: string[] = [];
    for (const [callId, { key }] of world.effects) {
      const earlier = seen.get(key);
      if (earlier) problems.push(`${key} was done twice, as ${earlier} and as ${callId}`);
      seen.set(key, callId);
    }
    return problems;
  },
};

/** Rule 1 of the design: what leaves follows from what is stored. What is asked for no run (tools, for a fork to be) is no step. */
const early: Checker = {
  name: 'early',
  check({ evidence }) {
    return evidence.requests
      .filter(({ covered, item }) => !covered && item.run !== undefined)
      .map(({ verb, item }) => `${verb} ${item.callId} of ${item.run} reached a worker before the log knew of it`);
  },
};

const unapproved: Checker = {
  name: 'unapproved',
  check({ evidence, world }) {
    const approved = new Set<string>();
    for (const entries of evidence.runs.values()) {
      const asked = new Map<string, { callId: string; needs: number; said: Set<string> }>();
      for (const { entry } of entries) {
        if (entry.type === 'approval.requested') {
          const { id, callId, quorum = 1 } = entry.approval;
          asked.set(id, { callId, needs: quorum, said: new Set() });
        }
        if (entry.type === 'approval.voted') asked.get(entry.approval)?.said.add(entry.by);
        if (entry.type !== 'approval.decided' || entry.decision !== 'approved') continue;
        const approval = asked.get(entry.approval);
        if (approval && approval.said.add(entry.by).size >= approval.needs) approved.add(approval.callId);
      }
    }
    return [...world.effects]
      .filter(([callId, effect]) => effect.tool === NEEDS_APPROVAL && !approved.has(callId.split('/')[1]!))
      .map(([callId, { key }]) => `${key} was done as ${callId} without an approval`);
  },
};

/** What the log says was done was done, and the other way round once the run got that far. */
const claimed: Checker = {
  name: 'claimed',
  check({ evidence, world }) {
    const problems: string[] = [];
    for (const [run, entries] of evidence.runs)
      for (const { entry } of entries) {
        if (entry.type !== 'step.completed' || entry.result.kind !== 'execute') continue;
        const { action } = entry.result;
        if (action.effect === 'pure' || action.isError) continue;
        const tenant = evidence.starts.get(run)?.message.tenant;
        if (!world.happened(`${tenant}/${action.callId}`))
          problems.push(`run ${run} says that ${action.callId} was done; nobody saw it`);
      }
    return problems;
  },
};

/** Where nothing is lost or stopped, no worker is asked for a run that has ended. */
const afterEnd: Checker = {
  name: 'asked after end',
  check({ evidence, calm }) {
    if (!calm) return [];
    const ended = new Map<string, number>();
    for (const [run, entries] of evidence.runs) {
      const { entry, in: seen } = entries.at(-1)!;
      if (isEnd(entry)) ended.set(run, seen.at);
    }
    return evidence.requests
      .filter(({ at, item }) => at > (ended.get(item.run ?? '') ?? Number.POSITIVE_INFINITY) + ON_THE_WAY_MS)
      .map(
        ({ at, verb, item }) =>
          `${verb} ${item.callId} came ${at - ended.get(item.run!)!} ms after run ${item.run} ended`,
      );
  },
};
const ON_THE_WAY_MS = 200;

export const effects = [twice, early, unapproved, claimed, afterEnd];
