/** What a human's yes is bound to, and what stops a call whatever they said. */
import { contentHash, TuttiError } from '@tutti/contracts';
import { describe, expect, it } from 'vitest';
import { hashOfCall } from '../core/situation.ts';
import { CALL, harness, PARAMETERS } from '../test-support/harness.ts';

const ARGS = { item: 'tea' };
const HASH = hashOfCall('order', ARGS);
const QUORUM = `@id("two") @reason("Two have to look.") @approval("required") @quorum("2") @approvers("kim, lee, ann")
  permit (principal, action == Action::"tool.call", resource == Tool::"order") when { context.approved };`;
type Harness = ReturnType<typeof harness>;

async function ask(h: Harness, more: Parameters<Harness['execute']>[0] = {}) {
  const result = await h.execute(more);
  if (result.status !== 'approval_required') throw new Error(`not asked: ${JSON.stringify(result)}`);
  return result;
}
type Asked = Awaited<ReturnType<typeof ask>>;
const yes = ({ argumentsHash, basis }: Asked, more = {}) => ({
  id: 'apr_1',
  argumentsHash,
  by: 'kim',
  at: 1,
  ...(basis ? { basis } : {}),
  ...more,
});
const shown = (price: number) => () => ({ content: '', isError: false, data: { order: { price } } });

describe('a yes counts for exactly what was asked', () => {
  it('and is in the ledger with the call', async () => {
    const h = harness({ effect: 'irreversible' });
    const approval = yes(await ask(h));
    expect(await h.execute({ approval })).toMatchObject({ status: 'done' });
    expect(h.ledger.records.get(`acme/${CALL}`)![0]).toMatchObject({ approval, argumentsHash: HASH });
  });
  it('other arguments: asked anew', async () => {
    const h = harness({ effect: 'irreversible' });
    const approval = yes(await ask(h));
    const again = await ask(h, { arguments: { item: 'gold' }, approval });
    expect(again.reason).toMatch(/apr_1 does not count: it was given for other arguments/);
    expect(h.source.calls).toEqual([]);
  });
  it('other parameters of the tool: asked anew', async () => {
    const approval = yes(await ask(harness({ effect: 'irreversible' })));
    const parameters = { ...PARAMETERS, properties: { ...PARAMETERS.properties, gift: { type: 'boolean' } } };
    const h = harness({ effect: 'irreversible', parameters });
    const again = await ask(h, { approval });
    expect(again.reason).toMatch(/the parameters of the tool have changed/);
    expect(again.basis?.schema).toBe(contentHash(parameters));
    expect(await h.execute({ approval: yes(again) })).toMatchObject({ status: 'done' });
  });
  it('other policies: asked anew', async () => {
    const approval = yes(await ask(harness({ effect: 'irreversible' })));
    const policies = {
      'more.cedar': '@id("more") permit (principal, action == Action::"tool.call", resource == Tool::"x");',
    };
    const h = harness({ effect: 'irreversible', policies });
    expect((await ask(h, { approval })).reason).toMatch(/the policies have changed/);
    expect(h.source.effects).toEqual([]);
  });
  it('other data than was shown: asked anew, with what it is now', async () => {
    const h = harness({ effect: 'irreversible', shows: true });
    h.source.probeScript = [shown(120)];
    const asked = await ask(h);
    expect(asked.shown).toBe('{"price":120}');
    expect(h.source.calls[0]).toMatchObject({ name: 'find', args: { item: 'tea' }, key: undefined });
    h.source.probeScript = [shown(180)];
    const again = await ask(h, { approval: yes(asked) });
    expect(again).toMatchObject({
      shown: '{"price":180}',
      reason: expect.stringMatching(/data that was shown has changed/),
    });
    expect(h.source.effects).toEqual([]);
    expect(await h.execute({ approval: yes(again) })).toMatchObject({ status: 'done' });
    expect(h.source.effects.length).toBe(1);
  });
  it('data that cannot be read now: nothing is done, come again', async () => {
    const h = harness({ effect: 'irreversible', shows: true });
    const asked = await ask(h);
    h.source.probeScript = [
      () => {
        throw new TuttiError('unavailable', 'no connection');
      },
    ];
    await expect(h.execute({ approval: yes(asked) })).rejects.toMatchObject({ code: 'unavailable', retryable: true });
    expect(h.source.effects).toEqual([]);
  });
  it('fewer humans than are needed: asked anew', async () => {
    const h = harness({ effect: 'keyed', policies: { 'two.cedar': `${FORBID}${QUORUM}` } });
    const asked = await ask(h);
    expect(asked).toMatchObject({ quorum: 2, approvers: ['kim', 'lee', 'ann'] });
    expect((await ask(h, { approval: yes(asked) })).reason).toMatch(/2 have to approve it, and 1 did/);
    const twice = yes(asked, { approvedBy: ['kim', 'kim'] });
    expect((await ask(h, { approval: twice })).reason).toMatch(/and 1 did/);
    expect(await h.execute({ approval: yes(asked, { approvedBy: ['kim', 'lee'] }) })).toMatchObject({ status: 'done' });
  });
});

const FORBID = `@id("keyed-too") @reason("Two have to look.") @approval("required") @quorum("2") @approvers("kim, lee, ann")
  forbid (principal, action == Action::"tool.call", resource == Tool::"order") unless { context.approved };`;

describe('arguments that an approver wrote', () => {
  const edited = { item: 'green tea', quantity: '2' };
  const grant = (asked: Asked) =>
    yes(asked, { argumentsHash: hashOfCall('order', edited), editedFrom: asked.argumentsHash });
  it('are checked, converted and authorised as any others, and stand in the ledger', async () => {
    const h = harness({ effect: 'irreversible' });
    const approval = grant(await ask(h));
    expect(await h.execute({ arguments: edited, approval })).toMatchObject({ status: 'done' });
    expect(h.source.effects[0]!.args).toEqual({ item: 'green tea', quantity: 2 });
    expect(h.ledger.records.get(`acme/${CALL}`)![0]).toMatchObject({ approval: { editedFrom: HASH } });
  });
  it('that do not fit are not carried out', async () => {
    const h = harness({ effect: 'irreversible' });
    const wrong = { item: 'tea', quantity: 0 };
    const approval = { ...grant(await ask(h)), argumentsHash: hashOfCall('order', wrong) };
    expect(await h.execute({ arguments: wrong, approval })).toMatchObject({ isError: true, dispatched: false });
    expect(h.source.effects).toEqual([]);
  });
  it('that a policy denies are not carried out', async () => {
    const policies = {
      'no.cedar':
        '@id("never") @reason("Never.") forbid (principal, action == Action::"tool.call", resource == Tool::"order");',
    };
    const asked = await ask(harness({ effect: 'irreversible' }));
    const h = harness({ effect: 'irreversible', policies });
    expect(await h.execute({ arguments: edited, approval: grant(asked) })).toMatchObject({ status: 'denied' });
  });
  it('replace those of an attempt that never left, not of one that may have', async () => {
    const h = harness({ effect: 'irreversible' });
    const asked = await ask(h);
    const abort = new AbortController();
    h.ledger.stored = (record) => {
      if (record.kind === 'intent') abort.abort(new TuttiError('timeout', 'late'));
    };
    await h.execute({ approval: yes(asked) }, abort.signal).catch(() => {});
    h.ledger.stored = () => {};
    expect(h.ledger.kinds()).toEqual(['intent', 'void']);
    expect(await h.execute({ arguments: edited, approval: grant(asked) })).toMatchObject({ status: 'done' });
    const other = harness({ effect: 'irreversible' });
    await other.execute({ approval: yes(asked) });
    await expect(other.execute({ arguments: edited, approval: grant(asked) })).rejects.toMatchObject({
      code: 'call_mismatch',
    });
  });
});

describe('the kill switch', () => {
  const stop = (text = 'kim has stopped the tool "order"') => text;
  it.each(['pure', 'keyed', 'irreversible'] as const)(
    'keeps a %s call from being made, whoever approved it',
    async (effect) => {
      const h = harness({ effect });
      h.stops.push(({ tool }) => (tool === 'order' ? stop() : undefined));
      expect(await h.execute({ approval: yes({ argumentsHash: HASH } as Asked) })).toEqual({
        status: 'denied',
        reason: 'kim has stopped the tool "order"; nothing was done.',
        policy: 'tutti.kill-switch',
      });
      expect(h.source.calls).toEqual([]);
      expect(h.ledger.kinds()).toEqual([]);
      h.stops.length = 0;
      expect(await h.execute({ approval: yes({ argumentsHash: HASH } as Asked) })).toMatchObject({ status: 'done' });
    },
  );
  it('thrown between intent and dispatch: nothing is sent, and the ledger says so', async () => {
    const h = harness();
    h.ledger.stored = (record) => {
      if (record.kind === 'intent') h.stops.push(() => stop());
    };
    expect(await h.execute()).toMatchObject({ status: 'denied', policy: 'tutti.kill-switch' });
    expect(h.source.calls).toEqual([]);
    expect(h.ledger.kinds()).toEqual(['intent', 'void']);
  });
  it('tells what was done before it was thrown', async () => {
    const h = harness();
    await h.execute();
    h.stops.push(() => stop());
    expect(await h.execute()).toMatchObject({ status: 'done', replayed: true });
  });
  it('keeps a lost call from being sent again, and does not say that nothing was done', async () => {
    const h = harness();
    const { script } = h.source;
    h.source.script = [
      () => {
        throw new TuttiError('internal', 'not reached');
      },
    ];
    h.ledger.put({ ...(await intentOf()), instance: 'tools-dead' });
    h.stops.push(() => stop());
    await expect(h.execute()).rejects.toMatchObject({
      code: 'effect_unknown',
      message: expect.stringMatching(
        /^it is not known whether order took effect .*kim has stopped the tool "order"\.$/,
      ),
    });
    expect(h.source.calls).toEqual([]);
    h.stops.length = 0;
    h.source.script = script;
    expect(await h.execute()).toMatchObject({ status: 'done' });
  });
});

async function intentOf() {
  const h = harness();
  await h.execute();
  return h.ledger.records.get(`acme/${CALL}`)![0]!;
}
