/** What the outside says of a crash test: lost, twice, stuck, and journals that are not what they must be. */
import type { Started } from './load.ts';

export interface Verdict {
  lost: string[];
  twice: string[];
  stuck: string[];
  journals: string[];
}

export async function judge(url: string, runs: Started[], effects: Map<string, number>): Promise<Verdict> {
  const verdict: Verdict = { lost: [], twice: [], stuck: [], journals: [] };
  for (const run of runs) {
    const about = `${run.id} (${run.kind} ${run.what}, ${run.status}${run.error ? `: ${run.error}` : ''})`;
    const done = run.wanted.map((what) => effects.get(what) ?? 0);
    if (done.some((times) => times > 1)) verdict.twice.push(`${about}: done ${done.join(', ')} times`);
    if (run.endedAt === undefined) verdict.stuck.push(about);
    else if (run.kind !== 'cancel' || run.status === 'completed') {
      const asked = run.status === 'completed' && run.output?.includes(`done ${run.what}`);
      if (!asked || done.some((times) => times === 0))
        verdict.lost.push(`${about}: output ${run.output}, done ${done.join(', ')} times`);
    } else if (run.status !== 'cancelled') verdict.lost.push(about);
  }
  await judgeJournals(url, runs, verdict);
  return verdict;
}

interface Entry {
  n: number;
  type: string;
  at: number;
}

/** Contiguous from 1, one end, and runs of a session one after the other. */
async function judgeJournals(url: string, runs: Started[], verdict: Verdict): Promise<void> {
  const began = new Map<string, number>();
  const ended = new Map<string, number>();
  for (const run of runs) {
    if (run.endedAt === undefined) continue;
    const response = await fetch(`${url}/v1/runs/${run.id}/journal?format=jsonl`);
    const entries = (await response.text())
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Entry);
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
