/** What the outside says of a crash test: lost, twice, stuck, and journals that are not what they must be. */
import { until } from '@tutti/testkit';
import { isCancelled, type Load, type Started } from './load.ts';

export interface Verdict {
  lost: string[];
  twice: string[];
  stuck: string[];
  journals: string[];
}

/** What is left of runs that have ended may take so long to go: child runs are cancelled by letters. */
const LEFT_MS = 60_000;
const OPEN = ['queued', 'running', 'waiting'] as const;

/** `effects`: how often each thing was done, in the order in which they were first done. */
export async function judge(url: string, load: Load, effects: ReadonlyMap<string, number>): Promise<Verdict> {
  const { runs } = load;
  const verdict: Verdict = { lost: [], twice: [], stuck: [], journals: [] };
  const order = new Map([...effects.keys()].map((what, index) => [what, index]));
  for (const run of runs) judgeRun(run, effects, order, verdict);
  for (const what of load.refused) verdict.stuck.push(`${what}: not accepted to the end`);
  await judgeJournals(url, runs, verdict);
  if (verdict.stuck.length === 0) await judgeRest(url, verdict);
  return verdict;
}

function judgeRun(
  run: Started,
  effects: ReadonlyMap<string, number>,
  order: ReadonlyMap<string, number>,
  verdict: Verdict,
): void {
  const about = `${run.id} (${run.kind} ${run.what}, ${run.status}${run.error ? `: ${run.error}` : ''})`;
  const done = run.wanted.map((what) => effects.get(what) ?? 0);
  if (done.some((times) => times > 1)) verdict.twice.push(`${about}: done ${done.join(', ')} times`);
  const places = run.wanted.map((what) => order.get(what) ?? Number.POSITIVE_INFINITY);
  const last = places.at(-1)!;
  // The last task of a plan needs the others.
  if (Number.isFinite(last) && places.some((place) => place > last))
    verdict.lost.push(`${about}: the last task was done before those that it needs`);
  if (run.endedAt === undefined) verdict.stuck.push(about);
  else if (isCancelled(run.kind) && run.status === 'cancelled') return;
  else if (run.status !== 'completed' || !run.output?.includes(`done ${run.what}`) || done.includes(0))
    verdict.lost.push(`${about}: output ${run.output}, done ${done.join(', ')} times`);
}

/** Every run that a user started has ended, so nothing below them may be left: child runs end with their parents. */
async function judgeRest(url: string, verdict: Verdict): Promise<void> {
  let left: string[] = [];
  const listed = async (status: string) => {
    const page = await read(`${url}/v1/runs?status=${status}&children=true&limit=200`);
    return (JSON.parse(page) as { data: { id: string }[] }).data.map(({ id }) => `${id} is still ${status}`);
  };
  const none = async () => {
    left = (await Promise.all(OPEN.map(listed))).flat();
    return left.length === 0;
  };
  await until('child runs to have ended', none, LEFT_MS).catch((error: Error) => {
    verdict.stuck.push(...(left.length > 0 ? left : [error.message]));
  });
}

interface Entry {
  n: number;
  type: string;
  at: number;
}

async function read(url: string): Promise<string> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  return response.text();
}

/** JSON Lines as they are stored; of the runs below it, too, where `children` says so. */
export function journalOf(url: string, run: string, children = false): Promise<string> {
  return read(`${url}/v1/runs/${run}/journal?format=jsonl&children=${children}`);
}

async function entriesOf(url: string, run: string): Promise<Entry[]> {
  const lines = await journalOf(url, run);
  return (
    lines
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Entry)
      // Behind the journal: what came of calls that the run had given up.
      .filter(({ type }) => type !== 'result.late')
  );
}

/** Contiguous from 1, one end, and runs of a session one after the other. */
async function judgeJournals(url: string, runs: Started[], verdict: Verdict): Promise<void> {
  const began = new Map<string, number>();
  const ended = new Map<string, number>();
  for (const run of runs) {
    if (run.endedAt === undefined) continue;
    const entries = await until(`the journal of ${run.id}`, () => entriesOf(url, run.id)).catch(() => []);
    const gap = entries.findIndex((entry, index) => entry.n !== index + 1);
    const ends = entries.filter(({ type }) => /^run\.(completed|failed|cancelled)$/.test(type));
    if (entries.length === 0 || gap >= 0 || ends.length !== 1 || entries.at(-1) !== ends[0])
      verdict.journals.push(`${run.id}: ${entries.length} entries, gap at ${gap}, ${ends.length} ends`);
    const start = entries.find(({ type }) => type === 'run.started');
    if (start) began.set(run.id, start.at);
    if (ends[0]) ended.set(run.id, ends[0].at);
  }
  for (const run of runs) {
    const [before, start] = [run.after && ended.get(run.after), began.get(run.id)];
    if (before !== undefined && before !== '' && start !== undefined && start < before)
      verdict.journals.push(`${run.id} began before ${run.after}, which is before it in their session, had ended`);
  }
}
