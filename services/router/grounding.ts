/**
 * Answers that were given passages must rest on them as far as the agent says. Below its threshold: asked again with what
 * is not supported, then a better model, then what the agent says. Every answer on the way is paid for and reported.
 */
import {
  type ChatRequest,
  type CompleteBody,
  type CompleteResult,
  type GroundingPolicy,
  TuttiError,
} from '@tutti/contracts';
import type { z } from 'zod';
import type { CallContext, Complete } from './complete.ts';
import { type Groundedness, groundednessOf } from './core/groundedness.ts';

type Body = z.output<typeof CompleteBody>;
/** Named so that they can be told from names of models. */
const ESCALATION = 'large';
const ASK_TOOL = 'ask_user';
const ANSWER_SHOWN_CHARS = 2_000;
/** `ask_user` takes 4,000 characters. */
const QUESTION_CHARS_MAX = 3_900;
const JUDGE_SCHEMA = {
  type: 'object',
  properties: { supported: { type: 'boolean' }, reason: { type: 'string' } },
  required: ['supported', 'reason'],
  additionalProperties: false,
};

export interface GroundingParts {
  complete: Complete;
  /** May a better tier be asked in place of this model? Not where one was named. */
  mayEscalate(model: string): boolean;
}

export function isGrounded(body: Body): boolean {
  return body.chat.passages.length > 0 && body.chat.responseFormat.type === 'text';
}

export async function completeGrounded(
  parts: GroundingParts,
  policy: GroundingPolicy,
  body: Body,
  call: CallContext,
): Promise<CompleteResult> {
  const first = await parts.complete(body, call);
  if (isOpen(first)) return first;
  const done: CompleteResult[] = [first];
  let checked = await check(parts, policy, body, call, first, done);
  for (const next of furtherTries(parts, body)) {
    if (checked.report.supported) break;
    const result = await next(checked.result, checked.report.unsupported)
      .call(call)
      // what there is, is better than nothing
      .catch((error: unknown) =>
        error instanceof TuttiError && error.code !== 'cancelled' ? undefined : Promise.reject(error),
      );
    if (!result) break;
    done.push(result);
    if (isOpen(result)) return summed(result, done);
    checked = await check(parts, policy, body, call, result, done);
  }
  return ended(policy, body, summed({ ...checked.result, grounding: checked.report }, done));
}

/** It goes on with tools, so there is nothing to check yet. */
function isOpen(result: CompleteResult): boolean {
  return (result.message.toolCalls?.length ?? 0) > 0 || !result.message.content;
}

type NextTry = (before: CompleteResult, unsupported: string[]) => { call(call: CallContext): Promise<CompleteResult> };

function furtherTries(parts: GroundingParts, body: Body): NextTry[] {
  const again: NextTry = (before, unsupported) => ({
    call: (call) => parts.complete({ ...body, chat: reasked(body.chat, before, unsupported) }, call),
  });
  const better: NextTry = () => ({ call: (call) => parts.complete({ ...body, model: ESCALATION }, call) });
  return parts.mayEscalate(body.model) ? [again, better] : [again];
}

function reasked(chat: ChatRequest, before: CompleteResult, unsupported: string[]): ChatRequest {
  const list = unsupported.map((sentence) => `- ${sentence}`).join('\n');
  const { segments: _segments, ...rest } = chat;
  return {
    ...rest,
    messages: [
      ...chat.messages,
      { role: 'assistant', content: (before.message.content ?? '').slice(0, ANSWER_SHOWN_CHARS) },
      {
        role: 'user',
        content: `The sources do not say this:\n${list || '- most of the answer'}\nAnswer my request again from the sources alone. Where they do not say, say so.`,
      },
    ],
  };
}

interface Checked {
  result: CompleteResult;
  report: NonNullable<CompleteResult['grounding']>;
}

async function check(
  parts: GroundingParts,
  policy: GroundingPolicy,
  body: Body,
  call: CallContext,
  result: CompleteResult,
  done: CompleteResult[],
): Promise<Checked> {
  const { score, unsupported } = scoreOf(body.chat, result.message.content ?? '');
  const report = { score, threshold: policy.threshold, supported: score >= policy.threshold, unsupported };
  if (report.supported || !policy.judge) return { result, report };
  const verdict = await judged(parts, policy.judge, body, call, result, unsupported).catch(() => undefined);
  if (!verdict) return { result, report };
  done.push(verdict.result);
  return { result, report: { ...report, supported: verdict.supported, judge: verdict.reason } };
}

function scoreOf(chat: ChatRequest, answer: string): Groundedness {
  const said = chat.messages.flatMap((message) =>
    message.role === 'user' || message.role === 'tool' ? [message.content] : [],
  );
  return groundednessOf(answer, [
    ...chat.passages.map(({ title, text }) => `${title}\n${text}`),
    ...chat.facts,
    ...said,
  ]);
}

async function judged(
  parts: GroundingParts,
  judge: string,
  body: Body,
  call: CallContext,
  result: CompleteResult,
  unsupported: string[],
): Promise<{ supported: boolean; reason: string; result: CompleteResult }> {
  const question = [
    'Do the sources support this answer? What it adds to them in substance counts as not supported; other words for the same do not.',
    `<answer>\n${result.message.content}\n</answer>`,
    unsupported.length ? `Look at these sentences above all:\n${unsupported.map((one) => `- ${one}`).join('\n')}` : '',
  ];
  const verdict = await parts.complete(
    {
      ...body,
      model: judge,
      live: false,
      chat: {
        ...body.chat,
        segments: undefined,
        tools: [],
        toolChoice: 'none',
        messages: [
          { role: 'system', content: 'You check answers against their sources. You answer with JSON alone.' },
          { role: 'user', content: question.filter(Boolean).join('\n\n') },
        ],
        responseFormat: { type: 'json_schema', name: 'verdict', schema: JUDGE_SCHEMA },
      },
    },
    { ...call, live: undefined },
  );
  return {
    ...(JSON.parse(verdict.message.content ?? '{}') as { supported: boolean; reason: string }),
    result: verdict,
  };
}

function ended(policy: GroundingPolicy, body: Body, result: CompleteResult): CompleteResult {
  if (result.grounding?.supported) return result;
  const notes = [...(result.notes ?? []), 'not_verified' as const];
  const asks = policy.otherwise === 'ask' && body.chat.tools.some(({ name }) => name === ASK_TOOL);
  if (policy.otherwise === 'fail')
    throw new TuttiError(
      'not_grounded',
      `the sources support too little of the answer (${share(result.grounding!.score)} of it, ${share(policy.threshold)} are needed)`,
      { details: { grounding: result.grounding, attempts: result.attempts } },
    );
  if (asks) return { ...result, notes, ...question(result) };
  const marked = `${result.message.content}\n\n(Not verified: my sources support only ${share(result.grounding!.score)} of this.)`;
  return { ...result, notes, message: { ...result.message, content: marked } };
}

/** As if the model had asked: the run waits for its user, who sees what could not be verified. */
function question(result: CompleteResult): Pick<CompleteResult, 'message' | 'finishReason'> {
  const text = `My sources support only ${share(result.grounding!.score)} of this answer. Shall I use it as it is, or can you tell me more?\n\n${result.message.content}`;
  return {
    finishReason: 'tool_calls',
    message: {
      role: 'assistant',
      content: null,
      toolCalls: [{ id: 'call_verify', name: ASK_TOOL, arguments: { question: text.slice(0, QUESTION_CHARS_MAX) } }],
    },
  };
}

function share(score: number): string {
  return `${Math.round(score * 100)}%`;
}

/** The last answer, with what all of them used. */
function summed(last: CompleteResult, all: readonly CompleteResult[]): CompleteResult {
  return {
    ...last,
    usage: {
      inputTokens: all.reduce((sum, { usage }) => sum + usage.inputTokens, 0),
      outputTokens: all.reduce((sum, { usage }) => sum + usage.outputTokens, 0),
    },
    costUsd: all.reduce((sum, { costUsd }) => sum + costUsd, 0),
    attempts: all.flatMap(({ attempts }) => attempts),
  };
}
