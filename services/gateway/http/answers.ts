/**
 * Answers to what runs ask their users. The first answer that a question's run takes in counts; which one that was, its
 * journal says. Invariant: nobody is told that an answer was taken in unless the journal has it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { contentHash, isEnd, type QuestionRecord, type RunEntry, type RunView, TuttiError } from '@tutti/contracts';
import type { Identity } from '../core/api-keys.ts';
import type { GatewayDeps } from './deps.ts';

/** What became of a question. `n`: the entry of the run that asked which says so. */
export interface Settled {
  outcome: 'answered' | 'expired' | 'cancelled';
  text: string;
  by: string;
  n: number;
  key?: string | undefined;
}

type Reading = Pick<GatewayDeps, 'reader'>;

const CONFIRM_WAIT_MS = 5;
const CONFIRM_WAIT_MAX_MS = 250;

/** Stored once this resolves. The same answer to the same question again is the same message. */
export async function sendAnswer(
  deps: Pick<GatewayDeps, 'inbound'>,
  { tenant, principal }: Identity,
  question: QuestionRecord,
  text: string,
  key?: string,
): Promise<void> {
  const { id, session, waitingRun: run } = question;
  const told = key === undefined ? {} : { key };
  await deps.inbound.write(
    {
      v: 1,
      type: 'input',
      tenant,
      session,
      run,
      at: Date.now(),
      question: id,
      text,
      by: principal.id,
      ...told,
    },
    `input:${id}:${contentHash({ text, ...told })}`,
  );
}

/**
 * Waits until the run that asked has settled the question; undefined: not before `signal` was aborted. `view`: of a run
 * that had the question open; what lies before its version need not be read again.
 */
export async function untilSettled(
  deps: Reading,
  view: RunView,
  question: QuestionRecord,
  signal: AbortSignal,
): Promise<Settled | undefined> {
  const { tenant } = view;
  const look = lookFor(question.id);
  let seen = view.id === question.waitingRun ? view.version : 0;
  for (let waitMs = CONFIRM_WAIT_MS; !signal.aborted; waitMs = Math.min(waitMs * 2, CONFIRM_WAIT_MAX_MS)) {
    for (;;) {
      const entries = await someEntries(deps, tenant, question.waitingRun, seen);
      const settled = look(entries);
      if (settled) return settled;
      if (entries.length === 0) break;
      seen = entries.at(-1)!.n;
    }
    await sleep(waitMs, undefined, { signal }).catch(() => {});
  }
  return undefined;
}

/** What has become of the question so far; undefined: it is open. */
export async function settledSoFar(
  deps: Reading,
  tenant: string,
  question: QuestionRecord,
): Promise<Settled | undefined> {
  const look = lookFor(question.id);
  for await (const entries of pagesOf(deps, tenant, question.waitingRun)) {
    const settled = look(entries);
    if (settled) return settled;
  }
  return undefined;
}

/** Every question that the run or one below it has asked so far, in order. `n`: the run's entry that tells of it first. */
export async function askedBy(
  deps: Reading,
  { tenant, id }: Pick<RunView, 'tenant' | 'id'>,
): Promise<{ question: QuestionRecord; n: number }[]> {
  const asked = new Map<string, { question: QuestionRecord; n: number }>();
  for await (const entries of pagesOf(deps, tenant, id))
    for (const entry of entries)
      for (const question of questionsIn(entry))
        if (!asked.has(question.id)) asked.set(question.id, { question, n: entry.n });
  return [...asked.values()];
}

function questionsIn(entry: RunEntry): QuestionRecord[] {
  if (entry.type === 'question.asked') return [entry.question];
  return entry.type === 'child.waiting' ? (entry.questions ?? []) : [];
}

async function* pagesOf(deps: Reading, tenant: string, run: string): AsyncGenerator<RunEntry[]> {
  for (let after = 0; ; ) {
    const entries = await deps.reader.entries(tenant, run, after);
    if (entries.length === 0) return;
    yield entries;
    after = entries.at(-1)!.n;
  }
}

async function someEntries(deps: Reading, tenant: string, run: string, after: number): Promise<RunEntry[]> {
  try {
    return await deps.reader.entries(tenant, run, after);
  } catch (error) {
    if (error instanceof TuttiError && error.retryable) return [];
    throw error;
  }
}

/** Looks for the end of a question in a journal, page by page. */
function lookFor(question: string): (entries: RunEntry[]) => Settled | undefined {
  let asked = false;
  return (entries) => {
    for (const entry of entries) {
      if (entry.type === 'question.asked' && entry.question.id === question) asked = true;
      if (entry.type === 'question.answered' && entry.question === question) {
        const { outcome, text, by, n, key } = entry;
        return { outcome, text, by, n, key };
      }
      const gone = goneWith(entry, asked);
      if (gone !== undefined) return { outcome: 'cancelled', text: gone, by: 'tutti', n: entry.n };
    }
    return undefined;
  };
}

/** Why no question is open after this entry. `asked`: the question stands before it. */
function goneWith(entry: RunEntry, asked: boolean): string | undefined {
  if (entry.type === 'run.cancelling') return entry.reason;
  if (isEnd(entry)) return 'the run has ended';
  // What was asked before it was the other run's question.
  return entry.type === 'run.forked' && asked ? `it was a question of ${entry.of}` : undefined;
}
