/** Answers to what a run asks its user. As with approvals: 200 once it is taken in, 202 when that takes longer, the same again 200. */
import { LIMITS, type QuestionRecord, type RunView, TuttiError } from '@tutti/contracts';
import { ATTR } from '@tutti/runtime';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { questionBody, runBody } from '../core/views.ts';
import { askedBy, type Settled, sendAnswer, settledSoFar, untilSettled } from './answers.ts';
import type { GatewayDeps } from './deps.ts';
import { knownRun } from './routes-runs.ts';
import { parse } from './validate.ts';

export const AnswerQuestion = z.strictObject({
  text: z.string().min(1).max(LIMITS.inputCharsMax).describe('What the user says.'),
  question: z
    .string()
    .optional()
    .describe(
      'Id of the question; left out: the one that is open. Give it, and a repeat never answers the next question.',
    ),
});

export function inputRoutes(app: FastifyInstance, deps: GatewayDeps): void {
  app.post<{ Params: { id: string } }>('/v1/runs/:id/input', async (request, reply) => {
    const { text, question: wanted } = parse(AnswerQuestion, request.body);
    const view = await knownRun(deps, request);
    await deps.gate.runStart(request.identity, view.agent);
    const { question, settled } = await questionOf(deps, view, wanted);
    request.span?.attributes({ [ATTR.run]: question.waitingRun, [ATTR.root]: view.id, [ATTR.question]: question.id });
    if (settled) return { ...runBody(view), answered: sameAnswer(view, question, settled, text) };
    await sendAnswer(deps, request.identity, question, text);
    const limit = AbortSignal.timeout(deps.config.approvalConfirmMs);
    const taken = await untilSettled(deps, view, question, limit);
    if (!taken) return reply.code(202).send({ ...runBody(view), answered: question.id });
    const answered = sameAnswer(view, question, taken, text);
    return { ...runBody(await knownRun(deps, request)), answered };
  });
}

/** The question that is meant, and what became of it already. Throws `conflict` where there is none. */
async function questionOf(
  deps: GatewayDeps,
  view: RunView,
  wanted: string | undefined,
): Promise<{ question: QuestionRecord; settled?: Settled | undefined }> {
  const open = view.question;
  if (open && (wanted === undefined || wanted === open.id)) return { question: open };
  const asked = await askedBy(deps, view);
  const found = wanted === undefined ? asked.at(-1) : asked.find(({ question }) => question.id === wanted);
  if (!found)
    throw new TuttiError(
      'conflict',
      wanted === undefined
        ? `run ${view.id} asks nothing right now: it is ${view.status}`
        : `run ${view.id} never asked question ${wanted.slice(0, 80)}`,
      { details: { question: open ? questionBody(open) : null } },
    );
  const { question } = found;
  return { question, settled: await settledSoFar(deps, view.tenant, question) };
}

/** Answering the same again changes nothing; answering otherwise is too late. */
function sameAnswer(view: RunView, question: QuestionRecord, settled: Settled, text: string): string {
  const { outcome, text: told, by } = settled;
  if (outcome === 'answered' && told === text) return question.id;
  const how = outcome === 'answered' ? `was answered by ${by}` : outcome === 'expired' ? 'has expired' : 'was given up';
  const now = view.question && view.question.id !== question.id ? `; it asks ${view.question.id} now` : '';
  throw new TuttiError(
    'conflict',
    `run ${view.id} asks nothing that this answers: question ${question.id} ${how}${now}`,
    {
      details: { question: question.id, outcome, text: outcome === 'answered' ? told : null },
    },
  );
}
