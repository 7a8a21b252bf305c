/** OpenAI's Chat Completions answers. Pure. `tutti` is ours; clients that do not know it skip it. */
import type { ApprovalRecord, Citation, CompleteResult, QuestionRecord, RunStatus, Usage } from '@tutti/contracts';
import { routeBody } from './direct-response.ts';
import { approvalBody, questionBody } from './views.ts';

export interface ChatFrame {
  run: string;
  session: string;
  agent: string;
  /** Unix seconds. */
  created: number;
  ignored: string[];
  /** Of the model call that answered last: which model, and why. */
  answeredBy?: CompleteResult;
}

export interface ChatOutcome {
  status: RunStatus;
  content: string;
  usage: Usage;
  citations: Citation[];
  degraded: boolean;
  approvals: ApprovalRecord[];
  /** What the run asks; the next message of the session answers it. */
  question?: QuestionRecord;
}

export function tuttiField(frame: ChatFrame, outcome?: ChatOutcome) {
  return {
    run: frame.run,
    session: frame.session,
    status: outcome?.status ?? 'queued',
    approvals: (outcome?.approvals ?? []).map(approvalBody),
    question: outcome?.question ? questionBody(outcome.question) : null,
    citations: outcome?.citations ?? [],
    degraded: outcome?.degraded ?? false,
    route: frame.answeredBy ? routeBody(frame.answeredBy) : null,
    ignored: frame.ignored,
  };
}

export function usageBody(usage: Usage) {
  return {
    prompt_tokens: usage.inputTokens,
    completion_tokens: usage.outputTokens,
    total_tokens: usage.inputTokens + usage.outputTokens,
  };
}

export function completionBody(frame: ChatFrame, outcome: ChatOutcome) {
  return {
    id: frame.run,
    object: 'chat.completion' as const,
    created: frame.created,
    model: frame.agent,
    choices: [
      {
        index: 0,
        message: { role: 'assistant' as const, content: outcome.content, refusal: null },
        logprobs: null,
        finish_reason: 'stop' as const,
      },
    ],
    usage: usageBody(outcome.usage),
    tutti: tuttiField(frame, outcome),
  };
}

type Delta = { role?: 'assistant'; content?: string };

export function chunkBody(frame: ChatFrame, delta: Delta, options: { finish?: boolean; outcome?: ChatOutcome } = {}) {
  return {
    ...chunkHead(frame),
    choices: [{ index: 0, delta, logprobs: null, finish_reason: options.finish ? ('stop' as const) : null }],
    ...(delta.role || options.outcome ? { tutti: tuttiField(frame, options.outcome) } : {}),
  };
}

/** The last chunk of a stream that asked for usage: no choices. */
export function usageChunkBody(frame: ChatFrame, usage: Usage) {
  return { ...chunkHead(frame), choices: [], usage: usageBody(usage) };
}

function chunkHead(frame: ChatFrame) {
  return { id: frame.run, object: 'chat.completion.chunk' as const, created: frame.created, model: frame.agent };
}

/** What a person reads instead of an answer when decisions are waited for. The arguments are the exact ones. */
export function waitingText(approvals: ApprovalRecord[]): string {
  const list = approvals.map(
    (approval) =>
      `- ${approval.tool} ${JSON.stringify(approval.arguments)}\n  Why it asks: ${approval.reason}\n  Approval: ${approval.id}, open until ${new Date(approval.expiresAt).toISOString()}`,
  );
  return [
    approvals.length === 1 ? 'This waits for your decision:' : `These ${approvals.length} wait for your decision:`,
    ...list,
    'Decide with `POST /v1/approvals/{id}` and `{"decision": "approve"}` or `{"decision": "deny"}` (or `tutti approve`). ' +
      'A chat message is never taken as a decision. The run goes on by itself afterwards.',
  ].join('\n');
}
