/** The pure core where a round does not fit one message, where inputs are hostile, and where an effect is in doubt. */
import { contentHash, type InboundMessage, LogBatch, newRunId, newSessionId } from '@tutti/contracts';
import { describe, expect, test } from 'vitest';
import { toBatches } from '../shell/batches.ts';
import { testBundle } from '../test-support.ts';
import { Decider, type Environment, type Input, NO_ADMISSION_LIMITS } from './decide.ts';
import { applyBatch } from './replay.ts';
import { type ActiveRun, emptyState, isActive, isEmpty, isEnded, type PartitionState } from './state.ts';

const bundle = testBundle({ knowledge: [], tools: [] });
const hash = contentHash(bundle);
const env: Environment = {
  now: 1_000,
  bundle: (wanted) => (wanted === hash ? bundle : undefined),
  admission: NO_ADMISSION_LIMITS,
  nextTick: () => null,
};
const active = (state: PartitionState, run: string) => state.runs.get(run) as ActiveRun;

function start(session = newSessionId(), agent = 'helper', input = 'go'): Extract<InboundMessage, { type: 'start' }> {
  const id = newRunId(session);
  return {
    v: 1,
    type: 'start',
    tenant: 'default',
    session,
    run: id,
    at: 1,
    start: {
      agent,
      input,
      bundle: hash,
      principal: { id: 'x', roles: [] },
      limits: {},
      root: id,
      memorySession: session,
      depth: 0,
      parent: null,
      brief: null,
      live: false,
    },
  };
}
function replay(batches: LogBatch[]): PartitionState {
  const state = emptyState();
  for (const raw of batches) {
    applyBatch(state, LogBatch.parse(JSON.parse(JSON.stringify(raw))));
  }
  return state;
}
function decide(
  state: PartitionState,
  inputs: Input[],
  payload = 8_388_608,
): { batches: LogBatch[]; decider: Decider } {
  const readUpTo = state.readUpTo;
  const decider = new Decider(state, env);
  const decided = inputs.map((input) => {
    const [entries, partition, delivered] = [
      decider.entries.length,
      decider.partitionEntries.length,
      decider.delivered.length,
    ];
    decider.take(input);
    const added = decider.entries.slice(entries);
    return {
      input,
      readUpTo: state.readUpTo,
      entries: added,
      json: added.map((entry) => JSON.stringify(entry)),
      partition: decider.partitionEntries.slice(partition),
      delivered: decider.delivered.slice(delivered),
    };
  });
  const packed = toBatches(decided, { v: 1, epoch: 1, owner: 'o', at: 1, readUpTo }, payload);
  for (const { batch, json } of packed) expect(json).toEqual(batch.entries.map((entry) => JSON.stringify(entry)));
  return { decider, batches: packed.map(({ batch }) => batch) };
}
const completion = (content: string) => ({
  message: { role: 'assistant', content },
  finishReason: 'stop',
  usage: { inputTokens: 1, outputTokens: 1 },
  model: 'm',
  provider: 'p',
  degraded: false,
  costUsd: 0,
  attempts: [],
  candidates: [],
});

describe('poison', () => {
  test.each(['constructor', 'toString', '__proto__'])(
    'a start of the agent "%s" fails that run, and does not throw',
    (agent) => {
      const state = emptyState();
      expect(() => decide(state, [{ kind: 'inbound', sequence: 1, message: start(undefined, agent) }])).not.toThrow();
    },
  );

  test('what the owner writes can be read again: usage over 2^53', () => {
    const state = emptyState();
    const message = start();
    const log: LogBatch[] = [];
    log.push(...decide(state, [{ kind: 'inbound', sequence: 1, message }]).batches);
    // Put it where a parent with two finished children is: each reports the largest integer that the schema lets in.
    const run = active(state, message.run);
    const callId = Object.keys(run.open)[0]!;
    log.push(
      ...decide(state, [
        { kind: 'result', run: run.id, callId, outcome: { ok: true, body: { turns: [], summary: null, facts: [] } } },
      ]).batches,
    );
    for (let i = 0; i < 2; i++) {
      const open = Object.keys(active(state, run.id).open)[0]!;
      const body = {
        ...completion(''),
        usage: { inputTokens: i === 0 ? 900_000 : Number.MAX_SAFE_INTEGER, outputTokens: 0 },
        message: { role: 'assistant', content: null, toolCalls: [{ id: 'a', name: 'x', arguments: {} }] },
      };
      log.push(...decide(state, [{ kind: 'result', run: run.id, callId: open, outcome: { ok: true, body } }]).batches);
      const exec = Object.keys(active(state, run.id).open ?? {})[0];
      if (!exec) break;
      log.push(
        ...decide(state, [
          {
            kind: 'result',
            run: run.id,
            callId: exec,
            outcome: {
              ok: true,
              body: { status: 'done', content: '{}', isError: false, effect: 'pure', replayed: false },
            },
          },
        ]).batches,
      );
    }
    expect(isEnded(state.runs.get(run.id)!)).toBe(true);
    expect(() => replay(log)).not.toThrow();
  });
});

describe('a crash between the batches of one step', () => {
  /** All inputs go in, the log ends after the first `kept` batches, a new owner reads on and gets what is read again. */
  function crashAfter(kept: number, batches: LogBatch[], inbound: Input[]): PartitionState {
    const state = replay(batches.slice(0, kept));
    decide(
      state,
      inbound.filter((input) => input.kind === 'inbound' && input.sequence > state.readUpTo),
    );
    decide(state, [{ kind: 'tick' }]);
    return state;
  }
  const stuck = (state: PartitionState) =>
    [...state.runs.values()].filter(
      (run) =>
        (isActive(run) && isEmpty(run.open) && isEmpty(run.held) && isEmpty(run.children)) ||
        (run.status === 'queued' && state.sessions.get(`default/${run.session}`)?.active.length === 0),
    );

  test('starts: no run stays queued for ever', () => {
    const inputs: Input[] = Array.from({ length: 400 }, (_, index) => ({
      kind: 'inbound',
      sequence: index + 1,
      message: start(undefined, 'helper', 'x'.repeat(300 + index)),
    }));
    const { batches } = decide(emptyState(), inputs, 65_536);
    expect(batches.length).toBeGreaterThan(2);
    const lost = new Set<string>();
    for (let kept = 1; kept < batches.length; kept++)
      for (const run of stuck(crashAfter(kept, batches, inputs)))
        lost.add(`${run.status} after ${kept} of ${batches.length}`);
    expect([...lost]).toEqual([]);
  });

  test('ends: the next run of the session begins', () => {
    const state = emptyState();
    const log: LogBatch[] = [];
    const inbound: Input[] = [];
    for (let i = 0; i < 150; i++) {
      const session = newSessionId();
      for (let k = 0; k < 2; k++)
        inbound.push({ kind: 'inbound', sequence: inbound.length + 1, message: start(session) });
    }
    log.push(...decide(state, inbound).batches);
    const results = (body: unknown): Input[] =>
      [...state.runs.values()].flatMap((run) =>
        Object.keys(isActive(run) ? run.open : {}).map(
          (callId): Input => ({ kind: 'result', run: run.id, callId, outcome: { ok: true, body } }),
        ),
      );
    log.push(...decide(state, results({ turns: [], summary: null, facts: [] })).batches);
    log.push(...decide(state, results(completion('y'.repeat(700)))).batches);
    const { batches } = decide(state, results({ stored: true }), 65_536);
    expect(batches.length).toBeGreaterThan(2);
    const lost: string[] = [];
    for (let kept = 1; kept < batches.length; kept++)
      for (const run of stuck(crashAfter(log.length + kept, [...log, ...batches], inbound)))
        lost.push(`${run.status} after ${kept} of ${batches.length}`);
    expect(lost).toEqual([]);
  });
});

describe('what is not known is not called undone', () => {
  const toExecute = () => {
    const state = emptyState();
    const message = start();
    decide(state, [{ kind: 'inbound', sequence: 1, message }]);
    const run = active(state, message.run);
    const answer = (body: unknown) =>
      decide(state, [{ kind: 'result', run: run.id, callId: Object.keys(run.open)[0]!, outcome: { ok: true, body } }]);
    answer({ turns: [], summary: null, facts: [] });
    answer({
      ...completion(''),
      message: { role: 'assistant', content: null, toolCalls: [{ id: 'a', name: 'book', arguments: {} }] },
    });
    return { state, run, answer };
  };
  test('a repeat of a lost attempt that a human refuses', () => {
    const { state, run, answer } = toExecute();
    // What services/tools/broker/recover.ts answers when an intent has no outcome and no probe can tell.
    answer({
      status: 'approval_required',
      reason: 'it cannot be known whether it happened',
      policy: 'tutti.effect-unknown',
      arguments: {},
      argumentsHash: 'repeat',
      effect: 'irreversible',
    });
    const message: InboundMessage = {
      v: 1,
      type: 'approve',
      tenant: 'default',
      session: run.session,
      run: run.id,
      at: 1,
      approval: run.approvals[0]!.id,
      decision: 'deny',
      by: 'kim',
    };
    decide(state, [{ kind: 'inbound', sequence: 2, message }]);
    expect(run.actions.at(-1)!.content).not.toMatch(/^Not done/);
  });
  test('a call whose worker never answered', () => {
    const { state, run } = toExecute();
    for (let i = 0; i < 5; i++)
      decide(state, [
        {
          kind: 'result',
          run: run.id,
          callId: Object.keys(run.open)[0]!,
          outcome: {
            ok: false,
            error: { code: 'timeout', message: 'tools.execute did not answer in time', retryable: true },
          },
        },
      ]);
    // The model sees a failed call, and may make it again under a new id: twice the effect.
    expect(run.actions.map((action) => action.content)).toEqual([]);
  });
});
