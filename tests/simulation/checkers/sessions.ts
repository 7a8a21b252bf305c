/** Whether runs of a session went one after the other, in the order in which they came, unless they asked for something else. */
import { isEnd, type RunEntry } from '@tutti/contracts';
import type { SeenInbound } from '../evidence.ts';
import type { Checker, Judged } from './index.ts';

interface Turn {
  run: string;
  whenBusy: string;
  arrived: number;
  started: number | undefined;
  ended: number;
}

/** Positions in the log, as one count over all partitions: messages in order, entries within them in order. */
function turnsOf({ evidence }: Judged): Map<string, Turn[]> {
  const place = new Map<RunEntry, number>();
  let count = 0;
  for (const { batch } of evidence.log) for (const entry of batch.entries) place.set(entry, count++);
  const sessions = new Map<string, Turn[]>();
  for (const [run, seen] of evidence.starts) {
    const turn = turnOf(run, seen, evidence.runs.get(run)?.map(({ entry }) => entry) ?? [], place);
    if (!turn) continue;
    const key = `${seen.message.tenant}/${seen.message.session}`;
    sessions.set(key, [...(sessions.get(key) ?? []), turn]);
  }
  return sessions;
}

function turnOf(run: string, { message, sequence }: SeenInbound, entries: RunEntry[], place: Map<RunEntry, number>) {
  if (message.type !== 'start' || message.start.parent !== null) return;
  const started = entries.find((entry) => entry.type === 'run.started');
  const end = entries.find(isEnd);
  return {
    run,
    whenBusy: message.start.whenBusy ?? 'queue',
    arrived: sequence,
    started: started && place.get(started),
    ended: end ? place.get(end)! : Number.POSITIVE_INFINITY,
  };
}

const order: Checker = {
  name: 'session order',
  check(judged) {
    const problems: string[] = [];
    for (const turns of turnsOf(judged).values()) {
      const waits = turns
        .filter((turn) => turn.started !== undefined && turn.whenBusy !== 'parallel')
        .sort((a, b) => a.started! - b.started!);
      for (const [index, turn] of waits.entries()) {
        const next = waits[index + 1];
        if (next && next.arrived < turn.arrived)
          problems.push(`run ${turn.run} began before ${next.run}, which came first`);
      }
    }
    return problems;
  },
};

const overlap: Checker = {
  name: 'session overlap',
  check(judged) {
    const problems: string[] = [];
    for (const turns of turnsOf(judged).values())
      for (const one of turns)
        for (const other of turns) {
          if (one === other || one.started === undefined || other.started === undefined) continue;
          // `parallel` runs beside what is there; others wait for all that began before them.
          if (other.whenBusy === 'parallel' || one.started > other.started || one.ended < other.started) continue;
          problems.push(`run ${other.run} (${other.whenBusy}) began while ${one.run} was under way`);
        }
    return problems;
  },
};

/** One that ended before memory said that it has it, cancelled or because it was tried in vain, may be remembered late. */
function wasRemembered({ evidence }: Judged, run: string): boolean {
  return (
    evidence.runs.get(run)?.some(({ entry }) => entry.type === 'step.completed' && entry.result.kind === 'remember') ??
    false
  );
}

/** The conversation that memory keeps is in the order in which its runs were. */
const memory: Checker = {
  name: 'memory order',
  check(judged) {
    const problems: string[] = [];
    for (const [session, turns] of turnsOf(judged)) {
      const kept = judged.world.turns.get(session) ?? [];
      const counts = (turn: Turn) => turn.whenBusy !== 'parallel' && wasRemembered(judged, turn.run);
      const ended = new Map(turns.filter(counts).map((turn) => [turn.run, turn.ended]));
      const order = kept.filter((turn) => ended.has(turn.run)).map((turn) => ended.get(turn.run)!);
      if (order.some((at, index) => index > 0 && at < order[index - 1]!))
        problems.push(`the turns of session ${session} are remembered in another order than they ended in`);
    }
    return problems;
  },
};

export const sessions = [order, overlap, memory];
