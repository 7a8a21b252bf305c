/** Builders for tests: logs of runs as a planner would write them, entry by entry. */
import {
  type ApprovalRecord,
  derivedApprovalId,
  derivedCallId,
  derivedQuestionId,
  type LogBatch,
  newRunId,
  newSessionId,
  type PartitionEntry,
  type QuestionRecord,
  RunEntry,
  RunLimits,
  type Turn,
} from '@tutti/contracts';

type Fields<E> = E extends unknown ? Omit<E, 'run' | 'n' | 'at'> : never;

export interface RunOptions {
  tenant?: string;
  session?: string;
  run?: string;
  agent?: string;
  input?: string;
  parent?: { run: string; session: string; callId: string };
  root?: string;
  startAt?: number;
}

/** A run whose entries are numbered as they are added, a second apart. */
export function runLog(options: RunOptions = {}) {
  const session = options.session ?? newSessionId();
  const run = options.run ?? newRunId(session);
  const startAt = options.startAt ?? 1_800_000_000_000;
  const entries: RunEntry[] = [];
  const log = {
    run,
    session,
    entries,
    add(fields: Fields<RunEntry>) {
      const n = entries.length + 1;
      entries.push(RunEntry.parse({ ...fields, run, n, at: startAt + n * 1_000 }));
      return log;
    },
    started: () =>
      log.add({ type: 'run.started', strategy: 'react', reason: 'tools', agent: { name: 'a', model: 'auto' } }),
    asks: (step: number, kind: 'recall' | 'search' | 'remember' = 'recall') =>
      log.add({ type: 'step.requested', callId: derivedCallId(run, step), step: { kind } }),
    recalled: (step: number) =>
      log.add({
        type: 'step.completed',
        callId: derivedCallId(run, step),
        result: { kind: 'recall', recall: { turns: [], summary: null, facts: [] } },
      }),
    completes(step: number, inputTokens = 10, outputTokens = 5, costUsd = 0.25) {
      log.add({
        type: 'step.requested',
        callId: derivedCallId(run, step),
        step: { kind: 'complete', purpose: 'act', messages: 1 },
      });
      return log.add({
        type: 'step.completed',
        callId: derivedCallId(run, step),
        result: {
          kind: 'complete',
          purpose: 'act',
          completion: {
            message: { role: 'assistant', content: 'ok' },
            finishReason: 'stop',
            usage: { inputTokens, outputTokens },
            model: 'm',
            provider: 'p',
            degraded: false,
            costUsd,
            attempts: [],
            candidates: [],
          },
        },
      });
    },
    executes: (step: number) =>
      log.add({
        type: 'step.requested',
        callId: derivedCallId(run, step),
        step: { kind: 'execute', call: { id: `c${step}`, name: 'book', arguments: { $ref: 'a.b', 'x.y': step } } },
      }),
    executed: (step: number) =>
      log.add({
        type: 'step.completed',
        callId: derivedCallId(run, step),
        result: {
          kind: 'execute',
          replayed: false,
          action: {
            callId: derivedCallId(run, step),
            tool: 'book',
            arguments: { $ref: 'a.b', 'x.y': step },
            content: '{"ok":true}',
            isError: false,
            effect: 'keyed',
          },
        },
      }),
    wantsApproval: (step: number) =>
      log.add({ type: 'approval.requested', approval: approvalOf(run, session, step, options.root) }),
    decides: (step: number, decision: 'approved' | 'denied' | 'expired' | 'cancelled' = 'approved') =>
      log.add({ type: 'approval.decided', approval: approvalId(run, step), decision, by: 'ann', reason: 'fine' }),
    completed: (output = 'done') =>
      log.add({
        type: 'run.completed',
        output,
        citations: [{ n: 1, document: 'd', title: 't', text: 'x' }],
        usage: { modelCalls: 7, toolCalls: 3, inputTokens: 70, outputTokens: 30, costUsd: 1.5 },
        degraded: true,
      }),
  };
  log.add({
    type: 'run.accepted',
    tenant: options.tenant ?? 'acme',
    session,
    start: {
      agent: options.agent ?? 'travel',
      input: options.input ?? 'Book a flight',
      bundle: 'b'.repeat(64),
      principal: { id: 'ann', roles: ['user'] },
      limits: {},
      root: options.root ?? run,
      memorySession: session,
      depth: options.parent ? 1 : 0,
      parent: options.parent ?? null,
      brief: null,
      live: false,
    },
    limits: RunLimits.parse({}),
  });
  return log;
}
export type RunLog = ReturnType<typeof runLog>;

export function approvalId(run: string, step: number): string {
  return derivedApprovalId(run, derivedCallId(run, step), 1);
}

export function approvalOf(run: string, session: string, step: number, root = run): ApprovalRecord {
  return {
    id: approvalId(run, step),
    run: root,
    waitingRun: run,
    session,
    callId: derivedCallId(run, step),
    status: 'pending',
    tool: 'book',
    arguments: { price: 100 },
    argumentsHash: 'h',
    effect: 'irreversible',
    reason: 'spends money',
    policy: 'spending',
    requestedAt: 1_800_000_000_000 + step,
    expiresAt: 1_900_000_000_000,
  };
}

/** A run of 10 entries with an approval in the middle. */
export function travelRun(options: RunOptions = {}): RunLog {
  return runLog(options)
    .started()
    .completes(1)
    .executes(2)
    .wantsApproval(2)
    .decides(2)
    .executed(2)
    .asks(3, 'remember')
    .completed();
}

export function lateOf(run: string, step: number, content = 'booked'): PartitionEntry {
  return {
    type: 'result.late',
    at: 1_800_000_000_000 + step,
    run,
    callId: derivedCallId(run, step),
    tool: 'book',
    ok: true,
    content,
  };
}

export function questionOf(run: string, session: string, step: number, root = run): QuestionRecord {
  return {
    id: derivedQuestionId(run, step),
    run: root,
    waitingRun: run,
    session,
    callId: derivedCallId(run, step),
    text: `Question ${step}?`,
    askedAt: 1_800_000_000_000 + step,
    expiresAt: 1_900_000_000_000,
  };
}

export function batchOf(entries: RunEntry[], partition: PartitionEntry[] = []): LogBatch {
  return {
    v: 1,
    epoch: 1,
    owner: 'planner-1',
    readUpTo: 1,
    at: entries[0]?.at ?? 0,
    delivered: [],
    partition,
    entries,
  };
}

export function turnOf(session: string, at: number, fields: Partial<Turn> = {}): Turn {
  return { run: newRunId(session), session, agent: 'travel', at, input: 'hello', output: 'hi', actions: [], ...fields };
}
