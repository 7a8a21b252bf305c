/** Builds journals for tests, with versions and times in order. */
import {
  type ApprovalRecord,
  derivedApprovalId,
  derivedCallId,
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
      version: this.entries.length,
    };
  }
}
