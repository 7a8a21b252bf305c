/** What can be done with a journal afterwards: rebuild the state at a version, fork a run, try a bundle on runs. Any replica answers. */
import {
  BLOBS,
  derivedRunId,
  derivedSessionId,
  isEnd,
  newRunId,
  newSessionId,
  partitionOf,
  type RunEntry,
  type RunStart,
  subjects,
  TuttiError,
} from '@tutti/contracts';
import type { Handler, Handlers, ServiceContext } from '@tutti/runtime';
import type { PlannerConfig } from '../config.ts';
import { agentOf } from '../core/round.ts';
import { preflightHandler } from './preflight-runs.ts';
import { createJournalReader, type JournalReader } from './reader.ts';
import { stateAt } from './state-at.ts';

type Context = Pick<ServiceContext<PlannerConfig>, 'bus' | 'caller' | 'bundles' | 'clock' | 'log'>;

export function journalHandlers(context: Context, partitions: number): Handlers {
  const reader = createJournalReader(context.bus, context.caller, partitions);
  return {
    state: async ({ run, version }, { item }) => {
      const entries = await reader.read(item.tenant, run, version);
      checkVersion(run, entries, version);
      return { run, version: entries.length, state: stateAt(entries) };
    },
    fork: forkHandler(context, reader, partitions),
    preflight: preflightHandler(context, reader),
  };
}

function checkVersion(run: string, entries: RunEntry[], version: number | undefined): void {
  if (version !== undefined && entries.length < version)
    throw new TuttiError('invalid_request', `run ${run} has ${entries.length} entries, there is no version ${version}`);
}

function forkHandler(context: Context, reader: JournalReader, partitions: number): Handler<'fork'> {
  const { bus, bundles, clock } = context;
  return async ({ run: original, version, changes, effects, principal, key }, { item }) => {
    const { tenant } = item;
    const prefix = await reader.read(tenant, original, version);
    checkVersion(original, prefix, version);
    const ended = prefix.find((entry) => isEnd(entry) || entry.type === 'run.cancelling');
    if (ended)
      throw new TuttiError(
        'invalid_request',
        `run ${original} was ending at version ${ended.n}; fork it from a version before that`,
      );
    const before = startOf(prefix);
    const hash = changes.bundle ?? before.bundle;
    if (!agentOf(await bundles.get(hash), before.agent))
      throw new TuttiError('not_found', `the bundle ${hash} has no agent "${before.agent}"`);
    const { session, run } = idsFor(original, version, key, clock.now());
    const blob = `fork.${run}`;
    await (await bus.blobs(BLOBS)).put(blob, new TextEncoder().encode(JSON.stringify(prefix)));
    const start: RunStart = {
      ...before,
      input: changes.input ?? before.input,
      ...(changes.instructions === undefined ? {} : { instructions: changes.instructions }),
      ...(changes.model === undefined ? {} : { model: changes.model }),
      bundle: hash,
      principal,
      root: run,
      memorySession: session,
      depth: 0,
      parent: null,
      fork: {
        run: original,
        version,
        effects,
        blob,
        memorySession: before.fork?.memorySession ?? before.memorySession,
      },
    };
    const message = { v: 1, type: 'start', tenant, session, run, at: clock.now(), start };
    await bus.append(
      subjects.inbound(partitionOf(session, partitions), tenant, session, run),
      new TextEncoder().encode(JSON.stringify(message)),
      { messageId: run },
    );
    return { run, session };
  };
}

/** What the original was started with, or what it had become if it was a fork itself. */
function startOf(prefix: RunEntry[]): RunStart {
  const forked = prefix.findLast((entry) => entry.type === 'run.forked');
  if (forked?.type === 'run.forked') return forked.start;
  const [accepted] = prefix;
  if (accepted?.type !== 'run.accepted') throw new TuttiError('internal', 'a journal has no beginning');
  return accepted.start;
}

function idsFor(
  original: string,
  version: number,
  key: string | undefined,
  now: number,
): { session: string; run: string } {
  if (key === undefined) {
    const session = newSessionId(now);
    return { session, run: newRunId(session, now) };
  }
  const session = derivedSessionId(original, `fork\n${version}\n${key}`);
  return { session, run: derivedRunId(session, original, `fork\n${version}\n${key}`) };
}
