/** What can be done with a journal afterwards: rebuild the state at a version, fork a run, try a bundle on runs. Any replica answers. */
import { TuttiError } from '@tutti/contracts';
import type { Handler, Handlers, ServiceContext } from '@tutti/runtime';
import type { PlannerConfig } from '../config.ts';
import { forkHandler } from './fork-run.ts';
import { preflightHandler } from './preflight-runs.ts';
import { checkVersion, createJournalReader, type JournalReader } from './reader.ts';
import { stateAt } from './state-at.ts';

type Context = Pick<ServiceContext<PlannerConfig>, 'bus' | 'caller' | 'bundles' | 'clock' | 'log'>;

/** UTF-16 units of JSON of a state that is answered. What runs have is bounded by their limits, but those may be set high. */
export const STATE_CHARS_MAX = 8 * 1_024 * 1_024;

export function journalHandlers(context: Context, partitions: number): Handlers {
  const reader = createJournalReader(context.bus, context.caller, context.clock, partitions);
  return {
    state: stateHandler(context, reader),
    fork: forkHandler(context, reader, partitions),
    preflight: preflightHandler(context, reader),
  };
}

function stateHandler({ clock }: Context, reader: JournalReader): Handler<'state'> {
  return async ({ run, version }, { item }) => {
    const entries = await reader.read(item.tenant, run, version);
    checkVersion(run, entries, version);
    const state = await stateAt(entries, clock);
    const chars = JSON.stringify(state).length;
    if (chars > STATE_CHARS_MAX)
      throw new TuttiError(
        'payload_too_large',
        `the state of run ${run} at version ${entries.length} has ${chars} characters; at most ${STATE_CHARS_MAX} are answered. Its journal can be read page by page`,
      );
    return { run, version: entries.length, state };
  };
}
