/**
 * A chat message to a session whose run waits for input is that input, and the same run is followed on from there. The
 * owner of the session says whether there is such a run; the journal, whether it took the message in.
 */
import { type QuestionRecord, TuttiError } from '@tutti/contracts';
import type { Identity } from '../core/api-keys.ts';
import { askedBy, sendAnswer, settledSoFar, untilSettled } from './answers.ts';
import type { GatewayDeps } from './deps.ts';

/** A run that goes on. */
export interface Continued {
  run: string;
  session: string;
  /** Its version before the answer: what comes after it is new to whoever asks. */
  resumeAfter: number;
}

type Deps = Pick<GatewayDeps, 'inbound' | 'owner' | 'reader' | 'memory' | 'gate'>;

export interface Message {
  session: string;
  text: string;
  idempotencyKey: string | undefined;
}

/** Null: the session waits for no input, or what it asked was settled otherwise meanwhile. `aborted`: not known in time. */
export async function answerOpenQuestion(
  deps: Deps,
  identity: Identity,
  { session, text, idempotencyKey }: Message,
  signal: AbortSignal,
): Promise<Continued | 'aborted' | null> {
  const { tenant } = identity;
  const { question } = await underWay(deps, tenant, session);
  const view = question && (await deps.reader.run(tenant, question.run));
  if (!question || !view) return null;
  await deps.gate.runStart(identity, view.agent);
  await sendAnswer(deps, identity, question, text, idempotencyKey);
  const settled = await untilSettled(deps, view, question, signal);
  if (!settled) return 'aborted';
  if (settled.outcome !== 'answered' || settled.text !== text) return null;
  return { run: view.id, session: view.session, resumeAfter: view.version };
}

/** The run that took in an answer with this key: an earlier request of the same client. */
export async function answeredBefore(
  deps: Deps,
  { tenant }: Identity,
  { session, idempotencyKey }: Message,
): Promise<Continued | null> {
  const { active } = await underWay(deps, tenant, session);
  const { runs } = await deps.memory.read(tenant, { op: 'runs', session, children: false, limit: 1 });
  for (const run of new Set([...active, ...runs.map(({ id }) => id)]))
    for (const { question, n } of await askedBy(deps, { tenant, id: run })) {
      const settled = await settledSoFar(deps, tenant, question);
      if (settled?.key === idempotencyKey) return { run, session, resumeAfter: n };
    }
  return null;
}

/** What the owner says of the session; while there is none, what memory knows. */
async function underWay(
  deps: Pick<Deps, 'owner' | 'memory'>,
  tenant: string,
  session: string,
): Promise<{ active: string[]; question: QuestionRecord | null }> {
  const reply = await deps.owner.ask(session, { op: 'session', tenant, session });
  if (reply?.op === 'session') return reply;
  const waiting = { op: 'runs', session, children: false, status: 'waiting', limit: 1 } as const;
  const { runs } = await deps.memory.read(tenant, waiting).catch((error: unknown) => {
    if (error instanceof TuttiError && error.retryable) return { runs: [] };
    throw error;
  });
  return { active: runs.map(({ id }) => id), question: runs[0]?.question ?? null };
}
