import { contentHash, type EffectRecord, TuttiError } from '@tutti/contracts';
import { describe, expect, it } from 'vitest';
import { hashOfCall, hashOfRepeat } from '../core/situation.ts';
import { ToolCallError, type ToolResult } from '../ports/tool-source.ts';
import { CALL, harness, MemoryLedger, PARAMETERS } from '../test-support/harness.ts';

const HASH = hashOfCall('order', { item: 'tea' });
const grant = (argumentsHash = HASH) => ({ id: 'apr_1', argumentsHash, by: 'kim', at: 1 });
const lost = (): never => {
  throw new ToolCallError('maybe', 'the connection failed');
};
const neverLeft = (): never => {
  throw new ToolCallError('no', 'cannot be reached');
};
const ok = (): ToolResult => ({ content: '{"number":1}', isError: false, data: { number: 1 } });
const intent = (effect: EffectRecord['effect'], more: Partial<EffectRecord> = {}): EffectRecord =>
  ({
    v: 1,
    kind: 'intent',
    tool: 'order',
    argumentsHash: HASH,
    requestHash: HASH,
    bundle: 'b1',
    agent: 'agent',
    effect,
    idempotencyKey: CALL,
    instance: 'tools-dead',
    token: 'dead-1',
    attempt: 1,
    at: 1_800_000_000_000,
    timeoutMs: 1_000,
    ...more,
  }) as EffectRecord;
const outcome = (more: Partial<EffectRecord> = {}): EffectRecord =>
  ({ ...intent('keyed'), kind: 'outcome', content: '"x"', isError: false, how: 'answered', ...more }) as EffectRecord;
const code = (promise: Promise<unknown>) =>
  promise.then(
    () => 'no error',
    (error: TuttiError) => error.code,
  );

describe('a call', () => {
  it('given a keyed tool: intent, dispatch with the key, outcome, result', async () => {
    const h = harness();
    expect(await h.execute()).toEqual({
      status: 'done',
      content: '{"number":1}',
      isError: false,
      effect: 'keyed',
      replayed: false,
      policy: 'builtin.tool-calls-without-lasting-harm',
    });
    expect(h.source.calls).toEqual([{ name: 'order', args: { item: 'tea' }, key: CALL }]);
    expect(h.ledger.kinds()).toEqual(['intent', 'outcome']);
  });
  it('given a pure tool: no ledger, no key', async () => {
    const h = harness({ effect: 'pure' });
    expect(await h.execute()).toMatchObject({ status: 'done', effect: 'pure' });
    expect(h.source.calls[0]!.key).toBeUndefined();
    expect(h.ledger.records.size).toBe(0);
  });
  it('the intent is stored before anything is dispatched', async () => {
    const h = harness();
    let before: string[] = [];
    h.source.script = [
      () => {
        before = h.ledger.kinds();
        return ok();
      },
    ];
    await h.execute();
    expect(before).toEqual(['intent']);
  });
  it('invalid arguments: a result that lists them all, nothing dispatched or recorded', async () => {
    const h = harness();
    const result = await h.execute({ arguments: { quantity: 0, size: 'L' } });
    expect(result).toMatchObject({ status: 'done', isError: true });
    const { content } = result as { content: string };
    for (const word of ['item', 'quantity', 'size', 'nothing was done']) expect(content).toContain(word);
    expect(h.source.calls).toEqual([]);
    expect(h.ledger.records.size).toBe(0);
  });
  it.each(['pure', 'keyed'] as const)('%s: what it says of how far it is gets out until it ends', async (effect) => {
    const h = harness({ effect });
    let say: ((text: string) => void) | undefined;
    h.source.script = [
      (_args, { onProgress }) => {
        say = onProgress;
        say?.('half');
        return { content: 'done', isError: false };
      },
    ];
    await h.execute();
    say?.('after the end');
    expect(h.said).toEqual({ texts: ['half'], late: ['after the end'], ended: true });
  });
  it('an unknown agent, and a tool that the agent may not use', async () => {
    const h = harness();
    expect(await code(h.execute({ agent: 'nobody' }))).toBe('not_found');
    expect(await code(h.execute({ tool: 'other', arguments: {} }))).toBe('tool_unknown');
    expect(await code(h.execute({ tool: 'orbit', arguments: {} }))).toBe('tool_unknown');
    expect(h.source.calls).toEqual([]);
  });
  it('a long result is an excerpt for the model, and kept in full beside it', async () => {
    const h = harness({ env: { TUTTI_TOOLS_RESULT_CHARS_MAX: '1000' } });
    const all = `begin${'x'.repeat(5_000)}end`;
    h.source.script = [() => ({ content: all, isError: false })];
    const result = (await h.execute()) as { content: string; whole: unknown };
    expect(result.content.length).toBeLessThanOrEqual(1_000);
    expect(result.content).toMatch(/^beginx+\n\[\d+ of 5008 characters are left out here\. .*\]\nx+end$/);
    expect(h.kept.get(CALL)).toBe(all);
    expect(result.whole).toMatchObject({ blob: `acme.run_1.${CALL}`, bytes: 5_008 });
    expect(await h.execute()).toEqual({ ...result, replayed: true });
  });
  it('a long result that cannot be kept is cut, and says so', async () => {
    const h = harness({ env: { TUTTI_TOOLS_RESULT_CHARS_MAX: '1000' }, keepFails: true });
    h.source.script = [() => ({ content: 'x'.repeat(5_000), isError: false })];
    const { content } = (await h.execute()) as { content: string };
    expect(content.length).toBeLessThanOrEqual(1_000);
    expect(content).toMatch(/\[Cut: \d+ of 5000 characters are missing/);
  });
  it('a result that is not what the tool says that it returns is told, with what is wrong', async () => {
    for (const effect of ['pure', 'keyed'] as const) {
      const returns = { type: 'object', required: ['number'], properties: { number: { type: 'integer' } } };
      const h = harness({ effect, returns });
      expect(await h.execute()).toMatchObject({ content: '{"number":1}' });
      h.source.script = [() => ({ content: '{"number":"1"}', isError: false, data: { number: '1' } })];
      expect(await h.execute({ callId: 'call_2' })).toMatchObject({
        content: '{"number":"1"}\n[This is not what order says that it returns: number must be integer]',
        isError: false,
      });
      // What an error looks like is nobody's promise.
      h.source.script = [() => ({ content: '{}', isError: true, data: {} })];
      expect(await h.execute({ callId: 'call_3' })).toMatchObject({ content: '{}' });
    }
  });
  it('what it rests on stands in the ledger: schema, policies, label, and what was converted', async () => {
    const h = harness();
    const label = { integrity: 'user', confidentiality: ['internal'] } as const;
    const result = await h.execute({
      arguments: { item: 'tea', quantity: '2' },
      label: { ...label, confidentiality: [...label.confidentiality] },
    });
    expect(result).toMatchObject({ converted: ['quantity: "2" → 2'] });
    for (const record of h.ledger.records.get(`acme/${CALL}`)!)
      expect(record).toMatchObject({
        schema: contentHash(PARAMETERS),
        policies: h.policy.hash,
        allowedBy: 'builtin.tool-calls-without-lasting-harm',
        causedBy: label,
        converted: ['quantity: "2" → 2'],
        idempotencyKey: CALL,
      });
  });
  it('over the limit: refused with a hint, and nothing recorded', async () => {
    const h = harness({ env: { TUTTI_TOOLS_CONCURRENT_PER_TOOL_MAX: '1' } });
    let finish = (_result: ToolResult) => {};
    h.source.script = [
      () =>
        new Promise((resolve) => {
          finish = resolve;
        }),
      ok,
    ];
    const first = h.execute();
    while (h.source.calls.length === 0) await new Promise((resolve) => setImmediate(resolve));
    const second = await h.execute({ callId: 'call_2' }).catch((error: TuttiError) => error.toInfo());
    expect(second).toMatchObject({ code: 'overloaded', retryable: true, retryAfterMs: expect.any(Number) });
    expect(h.ledger.kinds('call_2')).toEqual([]);
    finish(ok());
    expect(await first).toMatchObject({ status: 'done' });
    expect(await h.execute({ callId: 'call_2' })).toMatchObject({ status: 'done' });
  });
});

describe('policy', () => {
  it('irreversible without approval: asks, with the validated arguments and their hash', async () => {
    const h = harness({ effect: 'irreversible' });
    expect(await h.execute({ arguments: { item: 'tea', quantity: '2' } })).toEqual({
      status: 'approval_required',
      reason: 'The call cannot be undone: a human has to approve it.',
      policy: 'builtin.irreversible-needs-approval',
      arguments: { item: 'tea', quantity: 2 },
      argumentsHash: hashOfCall('order', { item: 'tea', quantity: 2 }),
      effect: 'irreversible',
      label: { integrity: 'user', confidentiality: [] },
      basis: { schema: contentHash(PARAMETERS), policies: h.policy.hash },
    });
    expect(h.source.calls).toEqual([]);
    expect(h.ledger.records.size).toBe(0);
  });
  it('with an approval of exactly these arguments: once', async () => {
    const h = harness({ effect: 'irreversible' });
    expect(await h.execute({ approval: grant() })).toMatchObject({ status: 'done', replayed: false });
    expect(await h.execute({ approval: grant() })).toMatchObject({ status: 'done', replayed: true });
    expect(h.source.effects.length).toBe(1);
    expect(h.ledger.records.get(`acme/${CALL}`)![0]).toMatchObject({ kind: 'intent', approval: grant() });
  });
  it('with an approval of other arguments: asks again and says why', async () => {
    const h = harness({ effect: 'irreversible' });
    const result = await h.execute({ arguments: { item: 'gold' }, approval: grant() });
    expect(result).toMatchObject({ status: 'approval_required', arguments: { item: 'gold' } });
    expect((result as { reason: string }).reason).toContain('have changed');
    expect(h.source.calls).toEqual([]);
  });
  it('a forbid of the bundle, with its expiry', async () => {
    const policies = {
      'p.cedar': `@id("spend") @reason("Spends money.") @approval("required") @expires("2h")
        forbid (principal, action == Action::"tool.call", resource) when { resource.tags.contains("money") && !context.approved };`,
    };
    const h = harness({ tags: ['money'], policies });
    expect(await h.execute()).toMatchObject({ status: 'approval_required', policy: 'spend', expiresInMs: 7_200_000 });
    expect(await h.execute({ approval: grant() })).toMatchObject({ status: 'done' });
  });
  it('of a fork: what changes something, whatever policies say; what was done is told again', async () => {
    const h = harness({ effect: 'keyed' });
    const asked = await h.execute({ effects: 'approve' });
    expect(asked).toMatchObject({ status: 'approval_required', policy: 'tutti.fork' });
    expect(await h.execute({ effects: 'block' })).toMatchObject({ status: 'denied', policy: 'tutti.fork' });
    expect(h.source.calls).toEqual([]);
    expect(await h.execute({ effects: 'approve', approval: grant() })).toMatchObject({
      status: 'done',
      replayed: false,
    });
    expect(await h.execute({ effects: 'block' })).toMatchObject({ status: 'done', replayed: true });
    const pure = harness({ effect: 'pure' });
    expect(await pure.execute({ effects: 'block' })).toMatchObject({ status: 'done' });
  });
  it('denied, approved or not', async () => {
    const policies = {
      'p.cedar': '@id("never") @reason("Never.") forbid (principal, action, resource == Tool::"order");',
    };
    const h = harness({ effect: 'irreversible', policies });
    expect(await h.execute({ approval: grant() })).toEqual({ status: 'denied', reason: 'Never.', policy: 'never' });
    expect(h.source.calls).toEqual([]);
  });
});

describe('the same call again', () => {
  it('its outcome is told again, by another replica too, and even when the tool is out of reach', async () => {
    const first = harness();
    await first.execute();
    const other = harness({ ledger: first.ledger, instance: 'tools-other' });
    expect(await other.execute()).toMatchObject({ status: 'done', content: '{"number":1}', replayed: true });
    const cut = harness({ ledger: first.ledger });
    cut.source.listFails = new TuttiError('unavailable', 'no connection');
    expect(await cut.execute()).toMatchObject({ status: 'done', replayed: true });
    expect(await code(cut.execute({ callId: 'call_2' }))).toBe('unavailable');
    expect([...other.source.calls, ...cut.source.calls]).toEqual([]);
  });
  it('with other arguments or another tool: refused loudly', async () => {
    const h = harness();
    await h.execute();
    expect(await code(h.execute({ arguments: { item: 'gold' } }))).toBe('call_mismatch');
    expect(h.source.effects.length).toBe(1);
  });
  it('with the validated arguments in place of the raw ones: the same call', async () => {
    const h = harness();
    await h.execute({ arguments: { item: 'tea', quantity: '2' } });
    expect(await h.execute({ arguments: { item: 'tea', quantity: 2 } })).toMatchObject({ replayed: true });
    expect(h.source.effects.length).toBe(1);
  });
  it('at the same time in one process: one dispatch', async () => {
    const h = harness();
    const results = await Promise.all([h.execute(), h.execute(), h.execute()]);
    expect(results.map((result) => result.status === 'done' && result.replayed)).toEqual([false, true, true]);
    expect(h.source.effects.length).toBe(1);
  });
  it('at the same time in two processes: one dispatch, both are answered', async () => {
    const ledger = new MemoryLedger();
    const a = harness({ effect: 'irreversible', ledger, instance: 'tools-a' });
    const b = harness({ effect: 'irreversible', ledger, instance: 'tools-b' });
    // Whoever asks about the other hears that it works until its outcome is there.
    for (const h of [a, b]) for (const name of ['tools-a', 'tools-b']) h.peers.set(name, ['working']);
    const results = await Promise.all([a.execute({ approval: grant() }), b.execute({ approval: grant() })]);
    expect(results.map((result) => result.status)).toEqual(['done', 'done']);
    expect(a.source.effects.length + b.source.effects.length).toBe(1);
    expect(ledger.kinds()).toEqual(['intent', 'outcome']);
  });
  it('while a living replica works on it: waits for that one’s outcome', async () => {
    const h = harness({ effect: 'irreversible' });
    h.ledger.put(intent('irreversible', { instance: 'tools-live' }));
    h.peers.set('tools-live', ['working', 'silent', 'working']);
    setTimeout(() => h.ledger.put(outcome({ effect: 'irreversible' })), 20);
    expect(await h.execute({ approval: grant() })).toMatchObject({ status: 'done', content: '"x"', replayed: true });
    expect(h.source.calls).toEqual([]);
  });
  it('that ended between the look and the question: its outcome, and no human is asked', async () => {
    const h = harness({ effect: 'irreversible' });
    h.ledger.put(intent('irreversible', { instance: 'tools-live' }));
    h.peers.set('tools-live', ['idle']);
    h.hooks.onAsk = () => {
      if (h.ledger.kinds().length === 1) h.ledger.put(outcome({ effect: 'irreversible' }));
    };
    expect(await h.execute({ approval: grant() })).toMatchObject({ status: 'done', replayed: true });
  });
  it('while a living replica works on it, until nobody waits any more', async () => {
    const h = harness();
    h.ledger.put(intent('keyed', { instance: 'tools-live' }));
    h.peers.set('tools-live', ['working']);
    const controller = new AbortController();
    setTimeout(() => controller.abort(new TuttiError('timeout', 'the deadline is over')), 20);
    expect(await code(h.execute({}, controller.signal))).toBe('timeout');
    expect(h.source.calls).toEqual([]);
  });
});

describe('an attempt that was lost', () => {
  it('keyed: sent again with the same key', async () => {
    const h = harness();
    h.ledger.put(intent('keyed'));
    expect(await h.execute()).toMatchObject({ status: 'done', replayed: false });
    expect(h.source.effects.map((call) => call.key)).toEqual([CALL]);
    expect(h.ledger.records.get(`acme/${CALL}`)!.map((record) => [record.kind, record.attempt])).toEqual([
      ['intent', 1],
      ['intent', 2],
      ['outcome', 2],
    ]);
  });
  it('keyed: "still under way" (409) is not taken for an answer', async () => {
    const h = harness();
    h.ledger.put(intent('keyed'));
    h.source.script = [() => ({ content: 'HTTP 409: in progress', isError: true }), ok];
    expect(await h.execute()).toMatchObject({ status: 'done', isError: false, content: '{"number":1}' });
    const first = harness();
    first.source.script = [() => ({ content: 'HTTP 409: sold out', isError: true })];
    expect(await first.execute()).toMatchObject({ isError: true, content: 'HTTP 409: sold out' });
  });
  it('with a probe that finds it: its answer is the outcome, nothing is sent', async () => {
    for (const effect of ['irreversible', 'probeable'] as const) {
      const h = harness({ effect, probe: true });
      h.ledger.put(intent(effect));
      h.source.probeScript = [() => ({ content: '', isError: false, data: { order: { number: 7 } } })];
      expect(await h.execute({ approval: grant() })).toMatchObject({ status: 'done', content: '{"number":7}' });
      expect(h.source.effects).toEqual([]);
      expect(h.source.calls[0]).toMatchObject({ name: 'find', args: { key: CALL, item: 'tea' }, key: undefined });
      expect(h.ledger.records.get(`acme/${CALL}`)!.at(-1)).toMatchObject({ kind: 'outcome', how: 'probed' });
      expect(await h.execute()).toMatchObject({ replayed: true });
    }
  });
  it('with a probe that finds nothing: asked again after the lost attempt must be over, then sent once', async () => {
    const h = harness({ effect: 'irreversible', probe: true });
    h.ledger.put(intent('irreversible'));
    const before = h.time.monotonicMs;
    expect(await h.execute({ approval: grant() })).toMatchObject({ status: 'done', replayed: false });
    expect(h.source.calls.map((call) => call.name)).toEqual(['find', 'find', 'order']);
    expect(h.time.monotonicMs - before).toBeGreaterThanOrEqual(1_000 + h.limits.pauseMaxMs + h.limits.probeSettleMs);
    expect(h.ledger.kinds()).toEqual(['intent', 'intent', 'outcome']);
  });
  it('with a probe that finds it only the second time: not sent', async () => {
    const h = harness({ effect: 'probeable', probe: true });
    h.ledger.put(intent('probeable'));
    h.source.probeScript = [
      () => ({ content: '', isError: true, notFound: true }),
      () => ({ content: '', isError: false, data: { order: { number: 8 } } }),
    ];
    expect(await h.execute()).toMatchObject({ status: 'done', content: '{"number":8}' });
    expect(h.source.effects).toEqual([]);
  });
  it('with a probe that cannot be asked: nothing is sent, come again', async () => {
    const h = harness({ effect: 'irreversible', probe: true });
    h.ledger.put(intent('irreversible'));
    h.source.probeScript = [neverLeft];
    expect(await code(h.execute({ approval: grant() }))).toBe('unavailable');
    expect(h.source.effects).toEqual([]);
    expect(h.ledger.kinds()).toEqual(['intent']);
  });
  it.each([
    ['no probe', false, 'irreversible'],
    ['a probe that cannot tell', true, 'irreversible'],
    ['probeable, but no probe', false, 'probeable'],
  ] as const)('%s: a human has to say, and the first approval does not count', async (_name, probe, effect) => {
    const h = harness({ effect, probe });
    h.ledger.put(intent(effect));
    h.source.probeScript = [() => ({ content: 'HTTP 403', isError: true })];
    const result = await h.execute({ approval: grant() });
    const repeat = hashOfRepeat('order', { item: 'tea' }, 1);
    expect(result).toMatchObject({
      status: 'approval_required',
      policy: 'tutti.effect-unknown',
      argumentsHash: repeat,
    });
    expect((result as { reason: string }).reason).toMatch(/not known whether order already took effect: attempt 1/);
    expect(h.source.effects).toEqual([]);
    expect(h.ledger.kinds()).toEqual(['intent']);

    // With a yes to exactly this repeat: once, and never again.
    expect(await h.execute({ approval: grant(repeat) })).toMatchObject({ status: 'done', replayed: false });
    expect(await h.execute({ approval: grant(repeat) })).toMatchObject({ status: 'done', replayed: true });
    expect(h.source.effects.length).toBe(1);
    expect(h.ledger.kinds()).toEqual(['intent', 'intent', 'outcome']);
  });
  it('a yes to one repeat is not a yes to the next', async () => {
    const h = harness({ effect: 'irreversible' });
    h.ledger.put(intent('irreversible'));
    h.source.script = [lost];
    const approval = grant(hashOfRepeat('order', { item: 'tea' }, 1));
    expect(await h.execute({ approval })).toMatchObject({
      status: 'approval_required',
      argumentsHash: hashOfRepeat('order', { item: 'tea' }, 2),
    });
    expect(await h.execute({ approval })).toMatchObject({ status: 'approval_required' });
    expect(h.source.effects.length).toBe(1);
  });
  it('by this very process, alive: the same rules', async () => {
    const h = harness({ effect: 'irreversible' });
    h.source.script = [lost];
    expect(await h.execute({ approval: grant() })).toMatchObject({
      status: 'approval_required',
      policy: 'tutti.effect-unknown',
    });
    expect(h.source.effects.length).toBe(1);
    const probed = harness({ effect: 'irreversible', probe: true });
    probed.source.script = [lost];
    probed.source.probeScript = [() => ({ content: '', isError: false, data: { order: { number: 3 } } })];
    expect(await probed.execute({ approval: grant() })).toMatchObject({ status: 'done', content: '{"number":3}' });
    expect(probed.source.effects.length).toBe(1);
  });
  it('its tool got laxer since: the stricter of both holds', async () => {
    const h = harness({ effect: 'keyed' });
    h.ledger.put(intent('irreversible'));
    expect(await h.execute()).toMatchObject({ status: 'approval_required' });
    expect(h.source.effects).toEqual([]);
  });
});

describe('a failure', () => {
  it('pure: tried again, then unavailable and retryable', async () => {
    const h = harness({ effect: 'pure' });
    h.source.script = [lost, lost, ok];
    expect(await h.execute()).toMatchObject({ status: 'done' });
    h.source.script = [lost];
    h.source.calls = [];
    const error = await h.execute().catch((thrown: TuttiError) => thrown);
    expect(error).toMatchObject({ code: 'unavailable', retryable: true });
    expect(h.source.calls.length).toBe(h.limits.callTriesMax);
  });
  it('keyed: tried again with the same key; what stays open is sent again later', async () => {
    const h = harness();
    h.source.script = [lost, lost, lost, ok];
    expect(await code(h.execute())).toBe('unavailable');
    expect(h.ledger.kinds()).toEqual(['intent']);
    expect(await h.execute()).toMatchObject({ status: 'done' });
    expect(new Set(h.source.effects.map((call) => call.key))).toEqual(new Set([CALL]));
  });
  it('irreversible, provably never left: recorded as void, begun anew later under the same approval', async () => {
    const h = harness({ effect: 'irreversible' });
    h.source.script = [neverLeft, neverLeft, neverLeft, ok];
    expect(await code(h.execute({ approval: grant() }))).toBe('unavailable');
    expect(h.ledger.kinds()).toEqual(['intent', 'void']);
    expect(await h.execute({ approval: grant() })).toMatchObject({ status: 'done' });
    expect(h.ledger.kinds()).toEqual(['intent', 'void', 'intent', 'outcome']);
  });
  it('irreversible: never tried a second time once it may have left', async () => {
    const h = harness({ effect: 'irreversible' });
    h.source.script = [neverLeft, lost, ok];
    expect(await h.execute({ approval: grant() })).toMatchObject({ status: 'approval_required' });
    expect(h.source.effects.length).toBe(2);
  });
  it('an answer that says no is an outcome', async () => {
    const h = harness({ effect: 'irreversible' });
    h.source.script = [() => ({ content: 'HTTP 422: no such item', isError: true })];
    expect(await h.execute({ approval: grant() })).toMatchObject({ status: 'done', isError: true });
    expect(await h.execute({ approval: grant() })).toMatchObject({ isError: true, replayed: true });
    expect(h.source.effects.length).toBe(1);
  });
});

describe('the ledger misbehaves', () => {
  it('the intent’s acknowledgement is lost: dispatched once', async () => {
    const h = harness({ effect: 'irreversible' });
    h.ledger.fault = (record) => (record.kind === 'intent' ? 'store-then-fail' : undefined);
    expect(await h.execute({ approval: grant() })).toMatchObject({ status: 'done', replayed: false });
    expect(h.source.effects.length).toBe(1);
    expect(h.ledger.kinds()).toEqual(['intent', 'outcome']);
  });
  it('the intent is stored and the bus is gone before anybody hears of it: nothing was sent, so nobody is asked', async () => {
    const h = harness({ effect: 'irreversible' });
    const { last } = h.ledger;
    h.ledger.fault = () => 'store-then-fail';
    h.ledger.last = async (tenant, callId) => {
      if (h.ledger.kinds().length > 0) throw new TuttiError('unavailable', 'no bus');
      return last.call(h.ledger, tenant, callId);
    };
    expect(await code(h.execute({ approval: grant() }))).toBe('unavailable');
    expect(h.ledger.kinds()).toEqual(['intent']);
    h.ledger.fault = () => undefined;
    h.ledger.last = last;
    expect(await h.execute({ approval: grant() })).toMatchObject({ status: 'done', replayed: false });
    expect(h.source.effects.length).toBe(1);
    expect(h.ledger.kinds()).toEqual(['intent', 'intent', 'outcome']);
  });
  it('the intent cannot be written: nothing is dispatched', async () => {
    const h = harness({ effect: 'irreversible' });
    h.ledger.fault = () => 'fail';
    expect(await code(h.execute({ approval: grant() }))).toBe('unavailable');
    expect(h.source.calls).toEqual([]);
  });
  it('the outcome’s acknowledgement is lost, or writing it fails for a while: it gets there', async () => {
    for (const fault of ['store-then-fail', 'fail'] as const) {
      const h = harness({ effect: 'irreversible' });
      let faults = 3;
      h.ledger.fault = (record) => (record.kind === 'outcome' && faults-- > 0 ? fault : undefined);
      expect(await h.execute({ approval: grant() })).toMatchObject({ status: 'done' });
      expect(h.ledger.kinds()).toEqual(['intent', 'outcome']);
      expect(h.source.effects.length).toBe(1);
    }
  });
  it('the service stops before the outcome could be written: no answer, and later nobody guesses', async () => {
    const h = harness({ effect: 'irreversible' });
    h.ledger.fault = (record) => (record.kind === 'outcome' ? 'fail' : undefined);
    h.source.script = [
      () => {
        h.stopping.abort();
        return ok();
      },
    ];
    expect(await code(h.execute({ approval: grant() }))).toBe('unavailable');
    const next = harness({ effect: 'irreversible', ledger: h.ledger, instance: 'tools-next' });
    h.ledger.fault = () => undefined;
    expect(await next.execute({ approval: grant() })).toMatchObject({ status: 'approval_required' });
    expect(next.source.effects).toEqual([]);
  });
  it('held up after the intent and fenced off meanwhile: dispatches nothing', async () => {
    const h = harness({ effect: 'irreversible' });
    h.ledger.stored = (record) => {
      if (record.instance !== 'tools-me') return;
      // This process stands still, while another one takes over and finishes.
      h.time.monotonicMs += 60_000;
      h.ledger.put(intent('irreversible', { attempt: 2, token: 'other', instance: 'tools-other' }));
      h.ledger.put(outcome({ effect: 'irreversible', attempt: 2, token: 'other' }));
    };
    expect(await h.execute({ approval: grant() })).toMatchObject({ status: 'done', content: '"x"', replayed: true });
    expect(h.ledger.kinds()).toEqual(['intent', 'intent', 'outcome']);
    expect(h.source.effects).toEqual([]);
  });
  it('held up after the intent and not fenced: looks, then dispatches', async () => {
    const h = harness({ effect: 'irreversible' });
    h.ledger.stored = (record) => {
      if (record.kind === 'intent') h.time.monotonicMs += 60_000;
    };
    expect(await h.execute({ approval: grant() })).toMatchObject({ status: 'done', replayed: false });
    expect(h.source.effects.length).toBe(1);
  });
});

describe('cancelling', () => {
  it('before dispatch: nothing is done, then or later, unless another run asks (a fork of it)', async () => {
    const h = harness({ effect: 'irreversible' });
    const controller = new AbortController();
    h.ledger.stored = (record) => {
      if (record.kind === 'intent') controller.abort(new TuttiError('cancelled', 'the call was cancelled'));
    };
    expect(await code(h.execute({ approval: grant() }, controller.signal))).toBe('cancelled');
    expect(h.source.calls).toEqual([]);
    expect(h.ledger.kinds()).toEqual(['intent', 'void']);
    expect(await code(h.execute({ approval: grant() }, AbortSignal.abort()))).toBe('cancelled');
    // A repeat that a planner which stood still sends late.
    expect(await code(h.execute({ approval: grant() }))).toBe('cancelled');
    expect(h.source.calls).toEqual([]);
    expect(await h.execute({ approval: grant(), run: 'run_fork' })).toMatchObject({ status: 'done' });
  });
  it('before dispatch, because nobody had time: it can be made later', async () => {
    const h = harness({ effect: 'irreversible' });
    const controller = new AbortController();
    h.ledger.stored = (record) => {
      if (record.kind === 'intent') controller.abort(new TuttiError('timeout', 'the deadline is over'));
    };
    expect(await code(h.execute({ approval: grant() }, controller.signal))).toBe('timeout');
    h.ledger.stored = () => {};
    expect(await h.execute({ approval: grant() })).toMatchObject({ status: 'done' });
  });
  it('before the call was ever seen: a request that comes late does nothing, on any replica', async () => {
    const h = harness({ effect: 'irreversible' });
    await h.broker.bar({ tenant: 'acme', run: 'run_1', callId: CALL });
    const other = harness({ effect: 'irreversible', ledger: h.ledger, instance: 'tools-other' });
    // Every replica is told: the second finds it written.
    await other.broker.bar({ tenant: 'acme', run: 'run_1', callId: CALL });
    expect(h.ledger.kinds()).toEqual(['void']);
    for (const replica of [h, other]) {
      expect(await code(replica.execute({ approval: grant() }))).toBe('cancelled');
      expect(await code(replica.execute({ arguments: { item: 'gold' } }))).toBe('cancelled');
    }
    expect([...h.source.calls, ...other.source.calls]).toEqual([]);
    // A fork of the cancelled run has the call under the same id, and is another run.
    expect(await other.execute({ approval: grant(), run: 'run_fork' })).toMatchObject({ status: 'done' });
  });
  it('after it was made: what came of it stays, and nothing is written over it', async () => {
    const h = harness();
    await h.execute();
    await h.broker.bar({ tenant: 'acme', run: 'run_1', callId: CALL });
    expect(h.ledger.kinds()).toEqual(['intent', 'outcome']);
    expect(await h.execute()).toMatchObject({ status: 'done', replayed: true });
  });
  it('between two tries: the second is not made', async () => {
    const h = harness({ effect: 'irreversible' });
    const controller = new AbortController();
    h.source.script = [
      () => {
        controller.abort(new TuttiError('cancelled', 'the call was cancelled'));
        return neverLeft();
      },
      ok,
    ];
    expect(await code(h.execute({ approval: grant() }, controller.signal))).toBe('unavailable');
    expect(h.source.effects.length).toBe(1);
    expect(h.ledger.kinds()).toEqual(['intent', 'void']);
  });
  it('after dispatch: what came of it is recorded all the same', async () => {
    const h = harness({ effect: 'irreversible' });
    const controller = new AbortController();
    h.source.script = [
      () => {
        controller.abort(new TuttiError('cancelled', 'the call was cancelled'));
        return ok();
      },
    ];
    await h.execute({ approval: grant() }, controller.signal);
    expect(h.ledger.kinds()).toEqual(['intent', 'outcome']);
  });
  it('a pure call gets the signal itself', async () => {
    const h = harness({ effect: 'pure' });
    const controller = new AbortController();
    h.source.script = [
      (_args, { signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(new ToolCallError('maybe', 'aborted')));
          controller.abort(new TuttiError('cancelled', 'the call was cancelled'));
        }),
    ];
    expect(await code(h.execute({}, controller.signal))).toBe('cancelled');
    expect(h.source.calls.length).toBe(1);
  });
});
