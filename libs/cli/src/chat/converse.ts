/**
 * One goal of a conversation: starts the run, shows it, asks for approvals where they come up, and says how it ended.
 * Invariant: an approval is only ever given after exactly its arguments were shown.
 */
import { TuttiError } from '@tutti/contracts';
import type { Api } from '../client/api.ts';
import { followEvents } from '../client/events.ts';
import { Approval, type Question, type ShownEvent, toShownEvent } from '../client/shapes.ts';
import { dim, red, yellow } from '../style.ts';
import { approvalText, safe } from './format.ts';
import type { Lines } from './lines.ts';
import { RunView } from './run-view.ts';

export interface Conversation {
  api: Api;
  agent: string;
  /** Undefined: a new one, which the first run makes. */
  session: string | undefined;
  lines: Lines;
  /** Approve whatever comes. */
  yes: boolean;
  write: (text: string) => void;
}

export type GoalEnd = 'completed' | 'failed' | 'cancelled' | 'waiting';

interface StartedRun {
  id: string;
  session: string;
}

/** `signal` aborts: the run is cancelled, and the end of that awaited. */
export async function pursue(conversation: Conversation, goal: string, signal: AbortSignal): Promise<GoalEnd> {
  const { api, agent, session, write } = conversation;
  const body = { agent, input: goal, ...(session ? { session } : {}) };
  const run = await api.send<StartedRun>('POST', '/v1/runs', body);
  conversation.session = run.session;
  const cancel = () =>
    void cancelRun(api, run.id).catch((error: Error) => write(`${red('tutti:')} ${error.message}\n`));
  if (signal.aborted) cancel();
  signal.addEventListener('abort', cancel, { once: true });
  try {
    return await watch(conversation, run.id, signal);
  } finally {
    signal.removeEventListener('abort', cancel);
  }
}

async function watch(conversation: Conversation, run: string, signal: AbortSignal): Promise<GoalEnd> {
  const { api, write } = conversation;
  const view = new RunView(run, write);
  const left = new AbortController();
  const asked = new Set<string>();
  for await (const { event, data } of followEvents(api, run, left.signal)) {
    const shown = toShownEvent(event, data);
    if (!shown) continue;
    view.show(shown);
    const end = endOf(shown, run);
    if (end) return end;
    for (const question of newQuestions(shown, asked)) {
      view.pause();
      if (await answer(conversation, run, question, signal)) continue;
      left.abort();
      write(
        `${yellow('  Left open.')} Answer with: npx tutti input ${run} ${dim('TEXT')}; then see: npx tutti runs ${run}\n`,
      );
      return 'waiting';
    }
    for (const approval of newApprovals(shown, asked)) {
      view.pause();
      const decided = await decide(conversation, approval, signal);
      if (decided) continue;
      left.abort();
      write(leftOpen(approval));
      return 'waiting';
    }
  }
  return 'waiting';
}

function endOf(event: ShownEvent, root: string): GoalEnd | undefined {
  if (event.run !== root) return undefined;
  if (event.type === 'run.completed') return 'completed';
  if (event.type === 'run.failed') return 'failed';
  return event.type === 'run.cancelled' ? 'cancelled' : undefined;
}

/** A child's approval is told of by the child and by each run above it. */
function newApprovals(event: ShownEvent, asked: Set<string>): Approval[] {
  const approvals =
    event.type === 'approval.requested' ? [event.approval] : event.type === 'child.waiting' ? event.approvals : [];
  const fresh = approvals.filter(({ id, status }) => status === 'pending' && !asked.has(id));
  for (const { id } of fresh) asked.add(id);
  return fresh;
}

/** A child's question, too, is told of by each run above it. */
function newQuestions(event: ShownEvent, asked: Set<string>): Question[] {
  const questions =
    event.type === 'question.asked' ? [event.question] : event.type === 'child.waiting' ? event.questions : [];
  const fresh = questions.filter(({ id }) => !asked.has(id));
  for (const { id } of fresh) asked.add(id);
  return fresh;
}

/** False: nobody answered, and it stays open. */
async function answer(
  conversation: Conversation,
  run: string,
  question: Question,
  signal: AbortSignal,
): Promise<boolean> {
  const { api, write, lines } = conversation;
  const now = await api.get<{ question: { id: string } | null }>(`/v1/runs/${run}`);
  // answered elsewhere meanwhile; of several open ones the run shows the oldest alone
  if (!now.question) return true;
  write(`${yellow('?')} ${safe(question.text)}\n`);
  for (;;) {
    const line = await untilAborted(lines.answer('  Answer > '), signal);
    if (line === 'cancelled') return true;
    if (line === undefined) return false;
    const text = line.text.trim();
    if (!text) continue;
    try {
      await api.send('POST', `/v1/runs/${run}/input`, { question: question.id, text });
    } catch (error) {
      if (!(error instanceof TuttiError) || error.code !== 'conflict') throw error;
      write(`${yellow(`  too late: ${error.message}`)}\n`);
    }
    return true;
  }
}

/** False: nobody answered, and it stays open. */
async function decide(conversation: Conversation, approval: Approval, signal: AbortSignal): Promise<boolean> {
  const { api, write } = conversation;
  // events of a resumed stream may be old: nobody is asked what was decided meanwhile
  const now = Approval.parse(await api.get(`/v1/approvals/${approval.id}`));
  if (now.status !== 'pending') return true;
  write(`${approvalText(now)}\n`);
  const answer = conversation.yes ? { decision: 'approve' as const } : await ask(conversation, signal);
  if (answer === 'cancelled') return true;
  if (!answer) return false;
  if (conversation.yes) write(dim('  approved, because of --yes\n'));
  try {
    const seen = now.argumentsHash === undefined ? {} : { argumentsHash: now.argumentsHash };
    await api.send('POST', `/v1/approvals/${approval.id}`, { ...answer, ...seen });
  } catch (error) {
    // decided elsewhere, or expired: the run goes on either way, and its events say how
    if (!(error instanceof TuttiError) || error.code !== 'conflict') throw error;
    write(`${yellow(`  too late: ${error.message}`)}\n`);
  }
  return true;
}

type Answer = { decision: 'approve' | 'deny'; reason?: string };

async function ask({ lines }: Conversation, signal: AbortSignal): Promise<Answer | 'cancelled' | undefined> {
  for (;;) {
    const line = await untilAborted(lines.answer('  Approve? [y]es, [n]o, or: no REASON > '), signal);
    if (line === 'cancelled') return 'cancelled';
    if (line === undefined) return undefined;
    const answer = parseAnswer(line.text);
    if (answer) return answer;
  }
}

/** Undefined: neither yes nor no. */
export function parseAnswer(line: string): Answer | undefined {
  const [, word = '', reason = ''] = /^\s*(\S*)\s*(.*?)\s*$/.exec(line) ?? [];
  if (/^(y|yes)$/i.test(word) && !reason) return { decision: 'approve' };
  if (/^(n|no)[,:]?$/i.test(word)) return { decision: 'deny', ...(reason ? { reason } : {}) };
  return undefined;
}

/** Undefined: there are no more lines. */
async function untilAborted(line: Promise<string | undefined>, signal: AbortSignal) {
  let abort = () => {};
  const aborted = new Promise<'cancelled'>((resolve) => {
    abort = () => resolve('cancelled');
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
  });
  try {
    return await Promise.race([line.then((text) => (text === undefined ? undefined : { text })), aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

function leftOpen(approval: Approval): string {
  return `${yellow('  Left open.')} Decide with: npx tutti approve ${approval.id} ${dim('[--deny --reason WHY]')}; then see: npx tutti runs ${approval.run}\n`;
}

async function cancelRun(api: Api, run: string): Promise<void> {
  try {
    await api.send('POST', `/v1/runs/${run}/cancel`, { reason: 'cancelled in the terminal' });
  } catch (error) {
    // it has ended in the meantime
    if (!(error instanceof TuttiError) || error.code !== 'conflict') throw error;
  }
}
