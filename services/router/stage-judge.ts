/**
 * The stage `judge`: tool calls fit their tools' schemas, and an answer that was given passages rests on them as far as
 * the agent asks. What is not good enough is asked again with what is wrong with it, then from a better model; an answer
 * that stays unsupported is given as the agent says.
 */
import type { ChatRequest, ChatResponse, CompleteBody, CompleteResult, GroundingPolicy } from '@tutti/contracts';
import type { z } from 'zod';
import { checkToolCalls } from './adapters/tool-arguments.ts';
import { ModelFailure } from './core/failure.ts';
import { type Groundedness, groundednessOf } from './core/groundedness.ts';
import type { Target } from './core/model.ts';
import { isRefusal } from './core/refusal.ts';
import { isBuiltIn } from './stage-fit.ts';
import { stateOf } from './stage-state.ts';
import type { Ask, CallContext, Judged, Report } from './stages.ts';

export interface JudgeParts {
  /** For a second opinion. */
  complete: (body: z.output<typeof CompleteBody>, call: CallContext) => Promise<CompleteResult>;
}

type Notes = NonNullable<CompleteResult['notes']>;
type Grounding = NonNullable<CompleteResult['grounding']>;

const ASK_TOOL = 'ask_user';
/** `ask_user` takes 4,000. */
const QUESTION_CHARS_MAX = 3_900;
const JUDGE_SCHEMA = {
  type: 'object',
  properties: { supported: { type: 'boolean' }, reason: { type: 'string' } },
  required: ['supported', 'reason'],
  additionalProperties: false,
};

export async function judge(
  parts: JudgeParts,
  ask: Ask,
  target: Target,
  request: ChatRequest,
  response: ChatResponse,
): Promise<Judged> {
  const notes = notesOf(response);
  const { message, usage } = response;
  if (message.toolCalls?.length) {
    const verdict = checkToolCalls(message.toolCalls, request.tools);
    if (!verdict.ok) {
      const answer = JSON.stringify(
        message.toolCalls.map(({ name, arguments: given }) => ({ name, arguments: given })),
      );
      return { ok: false, failure: new ModelFailure('invalid_answer', verdict.problem, { usage, answer }) };
    }
    if (verdict.repaired > 0) notes.push('repaired');
    const mended = { ...response, message: { ...message, toolCalls: verdict.calls } };
    return { ok: true, response: mended, report: reportOf(notes) };
  }
  const policy = ask.agent?.grounding;
  if (!policy || request.passages.length === 0 || request.responseFormat.type !== 'text' || isBuiltIn(ask, target))
    return { ok: true, response, report: reportOf(notes) };
  return grounded(parts, policy, ask, request, response, notes);
}

/** What is to be said of it, whether or not it is of use. */
function notesOf({ message, finishReason }: ChatResponse): Notes {
  const notes: Notes = [];
  if (finishReason === 'length') notes.push('truncated');
  if (!message.toolCalls?.length && isRefusal(message.content)) notes.push('refused');
  return notes;
}

function reportOf(notes: Notes, grounding?: Grounding): Report {
  return { ...(notes.length > 0 ? { notes } : {}), ...(grounding ? { grounding } : {}) };
}

async function grounded(
  parts: JudgeParts,
  policy: GroundingPolicy,
  ask: Ask,
  request: ChatRequest,
  response: ChatResponse,
  notes: Notes,
): Promise<Judged> {
  const answer = response.message.content ?? '';
  const grounding = await supportOf(parts, policy, ask, answer);
  if (grounding.supported) return { ok: true, response, report: reportOf(notes, grounding) };
  const state = stateOf(ask);
  state.ungrounded = { policy, score: grounding.score };
  const list = grounding.unsupported.map((sentence) => `\n- ${sentence}`).join('');
  return {
    ok: false,
    failure: new ModelFailure(
      'ungrounded',
      `the sources do not say this:${list || ' most of it'}\nAnswer from the sources alone; where they do not say, say so`,
      {
        usage: response.usage,
        answer,
        usable: policy.otherwise === 'fail' ? undefined : unverified(policy, request, response, notes, grounding),
      },
    ),
  };
}

/** By words; where these say no and the agent has a judge, by what that says. */
async function supportOf(parts: JudgeParts, policy: GroundingPolicy, ask: Ask, answer: string): Promise<Grounding> {
  const { score, unsupported } = scoreOf(ask.body.chat, answer);
  const grounding = { score, threshold: policy.threshold, supported: score >= policy.threshold, unsupported };
  if (grounding.supported || !policy.judge) return grounding;
  try {
    const { supported, reason } = await secondOpinion(parts, policy.judge, ask, answer, unsupported);
    return { ...grounding, supported, judge: reason };
  } catch (error) {
    if (ask.call.signal.aborted) throw error;
    // a judge that cannot be asked does not acquit
    return { ...grounding, judge: `could not be asked: ${error instanceof Error ? error.message : String(error)}` };
  }
}

/** What was packed away, and what a re-ask added, is not what counts: the whole of what the call was given is. */
function scoreOf(chat: ChatRequest, answer: string): Groundedness {
  const said = chat.messages.flatMap((message) =>
    message.role === 'user' || message.role === 'tool' ? [message.content] : [],
  );
  const passages = chat.passages.map(({ title, text }) => `${title}\n${text}`);
  return groundednessOf(answer, [...passages, ...chat.facts, ...said]);
}

async function secondOpinion(
  parts: JudgeParts,
  model: string,
  ask: Ask,
  answer: string,
  unsupported: string[],
): Promise<{ supported: boolean; reason: string }> {
  const question = [
    'Do the sources support this answer? What it adds to them in substance does not count as supported; other words for the same do.',
    `<answer>\n${answer.replaceAll('</answer', '‹/answer')}\n</answer>`,
    unsupported.length ? `Look at these sentences above all:\n${unsupported.map((one) => `- ${one}`).join('\n')}` : '',
  ];
  const { segments: _segments, temperature: _temperature, outputTokensMax: _max, ...chat } = ask.body.chat;
  const verdict = await parts.complete(
    {
      ...ask.body,
      prompt: undefined,
      model,
      live: false,
      chat: {
        ...chat,
        tools: [],
        toolChoice: 'none',
        messages: [
          { role: 'system', content: 'You check an answer against its sources. Answer with JSON alone.' },
          { role: 'user', content: question.filter(Boolean).join('\n\n') },
        ],
        responseFormat: { type: 'json_schema', name: 'verdict', schema: JUDGE_SCHEMA },
      },
    },
    { ...ask.call, live: undefined, fallback: false, callId: `${ask.call.callId}_judge` },
  );
  const { judged } = stateOf(ask);
  judged.inputTokens += verdict.usage.inputTokens;
  judged.outputTokens += verdict.usage.outputTokens;
  judged.costUsd += verdict.costUsd ?? 0;
  return JSON.parse(verdict.message.content ?? '') as { supported: boolean; reason: string };
}

/** What is given when nobody has a better one. */
function unverified(
  policy: GroundingPolicy,
  request: ChatRequest,
  response: ChatResponse,
  notes: Notes,
  grounding: Grounding,
): ChatResponse & Report {
  const report = reportOf([...notes, 'not_verified'], grounding);
  const share = `${Math.round(grounding.score * 100)}%`;
  const answer = response.message.content ?? '';
  if (policy.otherwise === 'ask' && request.tools.some(({ name }) => name === ASK_TOOL)) {
    const question = `My sources support only ${share} of this answer. Shall I use it as it is, or can you tell me more?\n\n${answer}`;
    return {
      ...response,
      ...report,
      finishReason: 'tool_calls',
      message: {
        role: 'assistant',
        content: null,
        toolCalls: [
          { id: 'call_verify', name: ASK_TOOL, arguments: { question: question.slice(0, QUESTION_CHARS_MAX) } },
        ],
      },
    };
  }
  const content = `${answer}\n\n(Not verified: my sources support only ${share} of this.)`;
  return { ...response, ...report, message: { ...response.message, content } };
}
