/** Builds journals for tests, with versions and times in order. */
import {
  type ApprovalRecord,
  derivedApprovalId,
  derivedCallId,
  derivedQuestionId,
  type InboundMessage,
  isEnd,
  type QuestionRecord,
  type RunEntry,
  RunLimits,
  RunStart,
  type RunView,
  type Usage,
} from '@tutti/contracts';

export const NO_USAGE: Usage = { modelCalls: 0, toolCalls: 0, inputTokens: 0, outputTokens: 0, costUsd: 0 };
export const USAGE: Usage = { modelCalls: 1, toolCalls: 0, inputTokens: 11, outputTokens: 7, costUsd: 0 };

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
export type EntryBody = DistributiveOmit<RunEntry, 'run' | 'n' | 'at'>;

export class Journal {
  readonly run: string;
  readonly session: string;
  readonly tenant: string;
  readonly start: RunStart;
  readonly entries: RunEntry[] = [];
  status: RunView['status'] = 'running';

  constructor(run: string, session: string, options: { tenant?: string; start?: Partial<RunStart> } = {}) {
    this.run = run;
    this.session = session;
    this.tenant = options.tenant ?? 'default';
    this.start = RunStart.parse({
      agent: 'guide',
      input: 'hello',
      bundle: 'hash',
      principal: { id: 'local' },
      root: run,
      memorySession: session,
      ...options.start,
    });
    this.add({
      type: 'run.accepted',
      tenant: this.tenant,
      session,
      start: this.start,
      limits: RunLimits.parse({}),
    });
  }

  add(body: EntryBody): RunEntry {
    const n = this.entries.length + 1;
    const entry = { ...body, run: this.run, n, at: 1_700_000_000_000 + n * 10 } as RunEntry;
    this.entries.push(entry);
    return entry;
  }

  requested(step: string, purpose: 'plan' | 'act' | 'answer' = 'answer'): RunEntry {
    return this.add({
      type: 'step.requested',
      callId: this.callId(step),
      step: { kind: 'complete', purpose, messages: 1 },
    });
  }

  answered(step: string, content: string, toolCalls: { id: string; name: string; arguments: object }[] = []): RunEntry {
    return this.add({
      type: 'step.completed',
      callId: this.callId(step),
      result: {
        kind: 'complete',
        purpose: 'answer',
        completion: {
          message: { role: 'assistant', content, ...(toolCalls.length ? { toolCalls } : {}) },
          finishReason: toolCalls.length ? 'tool_calls' : 'stop',
          usage: { inputTokens: 11, outputTokens: 7 },
          model: 'offline',
          provider: 'offline',
          degraded: false,
          costUsd: 0,
          attempts: [],
          candidates: [],
        },
      },
    } as EntryBody);
  }

  completed(output: string): RunEntry {
    this.status = 'completed';
    return this.add({ type: 'run.completed', output, citations: [], usage: USAGE, degraded: false });
  }

  /** Asks its user; as with the planner, the run waits if nothing else is open. */
  asks(text: string): QuestionRecord {
    const question = this.question(text);
    this.status = 'waiting';
    this.add({ type: 'question.asked', question });
    return question;
  }

  question(text: string): QuestionRecord {
    const n = this.entries.length + 1;
    return {
      id: derivedQuestionId(this.run, n),
      run: this.start.root,
      waitingRun: this.run,
      session: this.session,
      callId: this.callId(`ask ${n}`),
      text,
      askedAt: 1_700_000_000_000 + n * 10,
      expiresAt: 1_700_000_360_000,
    };
  }

  /** Takes an answer in: only the first one to an open question. */
  takes(message: Extract<InboundMessage, { type: 'input' }>): RunEntry | null {
    const { question, text, by, key } = message;
    if (!this.openQuestions().some(({ id }) => id === question)) return null;
    const entry = this.add({
      type: 'question.answered',
      question,
      outcome: 'answered',
      text,
      by,
      ...(key === undefined ? {} : { key }),
    });
    if (this.openQuestions().length === 0) this.status = 'running';
    return entry;
  }

  openQuestions(): QuestionRecord[] {
    const open = new Map<string, QuestionRecord>();
    const below = new Map<string, QuestionRecord[]>();
    for (const entry of this.entries) {
      if (entry.type === 'question.asked') open.set(entry.question.id, entry.question);
      if (entry.type === 'question.answered') open.delete(entry.question);
      if (entry.type === 'child.waiting') below.set(entry.child, entry.questions ?? []);
      if (isEnd(entry)) return [];
    }
    return [...open.values(), ...[...below.values()].flat()];
  }

  callId(step: string): string {
    return derivedCallId(this.run, step);
  }

  approval(step: string, status: ApprovalRecord['status'] = 'pending'): ApprovalRecord {
    const callId = this.callId(step);
    return {
      id: derivedApprovalId(this.run, callId, 1),
      run: this.start.root,
      waitingRun: this.run,
      session: this.session,
      callId,
      status,
      tool: 'book_flight',
      arguments: { flight: 'TU-100', seats: 2 },
      argumentsHash: 'abc',
      effect: 'irreversible',
      reason: 'it spends money',
      policy: 'ask-before-spending',
      requestedAt: 1_700_000_000_000,
      expiresAt: 1_700_000_360_000,
    };
  }

  view(): RunView {
    const last = this.entries.at(-1);
    const ended = last && ['run.completed', 'run.failed', 'run.cancelled'].includes(last.type);
    return {
      id: this.run,
      tenant: this.tenant,
      session: this.session,
      agent: this.start.agent,
      status: this.status,
      input: this.start.input,
      output: last?.type === 'run.completed' ? last.output : null,
      citations: [],
      error: last?.type === 'run.failed' ? last.error : null,
      usage: ended ? USAGE : NO_USAGE,
      parent: this.start.parent?.run ?? null,
      root: this.start.root,
      principal: this.start.principal,
      bundle: this.start.bundle,
      degraded: false,
      createdAt: this.entries[0]!.at,
      endedAt: ended ? last.at : null,
      question: this.openQuestions()[0] ?? null,
      waitingFor: this.status === 'waiting' ? (this.openQuestions().length > 0 ? 'input' : 'approval') : null,
      ...(last && 'undo' in last && last.undo ? { undo: last.undo } : {}),
      version: this.entries.length,
    };
  }
}
