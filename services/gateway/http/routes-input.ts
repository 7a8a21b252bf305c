/** Answers to what a run asks its user. As with approvals: 200 once it is taken in, 202 when that takes longer. */
import { setTimeout as sleep } from 'node:timers/promises';
import { LIMITS, type QuestionRecord, TuttiError } from '@tutti/contracts';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Identity } from '../core/api-keys.ts';
import { questionBody, runBody } from '../core/views.ts';
import type { GatewayDeps } from './deps.ts';
import { knownRun } from './routes-runs.ts';
import type { PreparedRun } from './start-run.ts';
import { parse } from './validate.ts';

export const AnswerQuestion = z.strictObject({
  text: z.string().min(1).max(LIMITS.inputCharsMax).describe('What the user says.'),
  question: z.string().optional().describe('Id of the question; the open one of the run where it is left out.'),
});

const CONFIRM_WAIT_MS = 5;
const CONFIRM_WAIT_MAX_MS = 250;

export function inputRoutes(app: FastifyInstance, deps: GatewayDeps): void {
  app.post<{ Params: { id: string } }>('/v1/runs/:id/input', async (request, reply) => {
    const body = parse(AnswerQuestion, request.body);
    const view = await knownRun(deps, request);
    const open = view.question;
    if (!open) throw new TuttiError('conflict', `run ${view.id} asks nothing right now: it is ${view.status}`);
    if (body.question !== undefined && body.question !== open.id)
      throw new TuttiError('conflict', `run ${view.id} asks something else by now: question ${open.id}`, {
        details: { question: questionBody(open) },
      });
    await answerQuestion(deps, request.identity, open, body.text);
    const taken = await confirmed(deps, request.identity.tenant, view.id, open.id);
    return reply.code(taken ? 200 : 202).send({ ...runBody(taken ?? view), answered: open.id });
  });
}

/** The first answer to a question counts; the same one again changes nothing. */
export async function answerQuestion(
  deps: Pick<GatewayDeps, 'inbound'>,
  { tenant, principal }: Identity,
  question: QuestionRecord,
  text: string,
): Promise<void> {
  await deps.inbound.write(
    {
      v: 1,
      type: 'input',
      tenant,
      session: question.session,
      run: question.waitingRun,
      at: Date.now(),
      question: question.id,
      text,
      by: principal.id,
    },
    `input:${question.id}`,
  );
}

/** The question that a session's run waits with, if it does. */
export async function openQuestion(
  deps: Pick<GatewayDeps, 'owner'>,
  tenant: string,
  session: string,
): Promise<QuestionRecord | null> {
  const reply = await deps.owner.ask(session, { op: 'session', tenant, session });
  return reply?.op === 'session' ? reply.question : null;
}

/** A message that answers a question goes on with the run that asked it. Null: that run is not there any more. */
export async function prepareAnswer(
  deps: Pick<GatewayDeps, 'inbound' | 'reader'>,
  identity: Identity,
  question: QuestionRecord,
  text: string,
): Promise<PreparedRun | null> {
  const view = await deps.reader.ownersRun(identity.tenant, question.run);
  if (view?.question?.id !== question.id) return null;
  return {
    run: view.id,
    session: view.session,
    existing: null,
    commit: () => answerQuestion(deps, identity, question, text),
    answers: { question: question.id, version: view.version },
  };
}

async function confirmed(deps: GatewayDeps, tenant: string, run: string, question: string) {
  const until = performance.now() + deps.config.approvalConfirmMs;
  for (let waitMs = CONFIRM_WAIT_MS; performance.now() < until; waitMs = Math.min(waitMs * 2, CONFIRM_WAIT_MAX_MS)) {
    await sleep(waitMs);
    const view = await deps.reader.run(tenant, run).catch((error: unknown) => {
      if (error instanceof TuttiError && error.retryable) return null;
      throw error;
    });
    if (view && view.question?.id !== question) return view;
  }
  return undefined;
}
