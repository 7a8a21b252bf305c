/** Effects and the people behind them, end to end: undo, arguments that an approver writes, what drifts after a yes, progress. */
import { connectNatsBus, createLogger } from '@tutti/runtime';
import { until } from '@tutti/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Approval, Run } from './client.ts';
import { type Desk, startDesk } from './desk.ts';

let desk: Desk;
beforeAll(async () => {
  desk = await startDesk();
}, 120_000);
afterAll(() => desk?.stop());

type Offer = { callId: string; tool: string; undo: string; arguments: object | null };
type Ended = Run & { undo: Offer[] };
const start = (...script: unknown[]) => desk.api.start(JSON.stringify(script), undefined, 'buyer');
const ordersOf = (item: string) => desk.orders.filter((order) => order.item === item);
const undone = (item: string) => {
  const numbers = desk.orders.flatMap((order, i) => (order.item === item ? [i + 1] : []));
  return desk.cancelled.filter(({ number }) => numbers.includes(number));
};
async function asked(id: string): Promise<Approval & { changes: string[]; shown: string | null }> {
  const { approval, run } = await desk.api.approvalOrEnd(id);
  if (!approval) throw new Error(`it ended without asking: ${JSON.stringify(run)}`);
  return desk.api.call('GET', `/v1/approvals/${approval.id}`);
}
const approve = (id: string, more: object = {}) =>
  desk.api.call('POST', `/v1/approvals/${id}`, { decision: 'approve', ...more });

describe('undo', () => {
  async function undoTwice(ended: Ended, item: string): Promise<void> {
    expect(ended.undo).toMatchObject([{ tool: 'quick_order', undo: 'quick_cancelOrder' }]);
    expect([ordersOf(item).length, undone(item).length]).toEqual([1, 0]);
    const undo = () => desk.api.call<Run>('POST', `/v1/runs/${ended.id}/undo`, {});
    const [first, second] = [await undo(), await undo()];
    expect(second.id).toBe(first.id);
    expect(await desk.api.ended(first.id)).toMatchObject({
      status: 'completed',
      output: expect.stringMatching(/^Undone: quick_order/),
    });
    expect((await undo()).id).toBe(first.id);
    expect([ordersOf(item).length, undone(item).length]).toEqual([1, 1]);
  }
  test('is offered when a run fails after an effect, and done once however often it is asked for', async () => {
    const { id } = await start(['quick_order', { item: 'rum', quantity: 1 }], 'fail');
    const ended = (await desk.api.ended(id)) as Ended;
    expect(ended.status).toBe('failed');
    await undoTwice(ended, 'rum');
  }, 60_000);
  test('and when it is cancelled after one', async () => {
    const { id } = await start(['quick_order', { item: 'gin', quantity: 1 }], 'hang');
    await until('the order', () => ordersOf('gin').length === 1);
    await expect(desk.api.call('POST', `/v1/runs/${id}/undo`, {})).rejects.toThrow(/409.*cancel it first/);
    await desk.api.call('POST', `/v1/runs/${id}/cancel`, {});
    const ended = (await desk.api.ended(id)) as Ended;
    expect(ended.status).toBe('cancelled');
    await undoTwice(ended, 'gin');
  }, 60_000);
  test('a run that did what it should has nothing to undo', async () => {
    const { id } = await start(['quick_order', { item: 'ale', quantity: 1 }]);
    expect(await desk.api.ended(id)).toMatchObject({ status: 'completed', undo: [] });
    await expect(desk.api.call('POST', `/v1/runs/${id}/undo`, {})).rejects.toThrow(/409/);
  }, 60_000);
});

describe('arguments that an approver writes', () => {
  test('are done instead, once, and stand in the journal', async () => {
    const { id } = await start(['order', { item: 'tea', quantity: 5 }]);
    const approval = await asked(id);
    await approve(approval.id, { arguments: { item: 'tea', quantity: 2 } });
    const run = await desk.api.ended(id);
    expect(run.status).toBe('completed');
    expect(run.output).toContain('An approver changed the arguments to {"item":"tea","quantity":2}');
    expect(ordersOf('tea')).toMatchObject([{ quantity: 2 }]);
    const { data } = await desk.api.call<{ data: { type: string }[] }>('GET', `/v1/runs/${id}/journal?view=full`);
    expect(data.find(({ type }) => type === 'approval.voted')).toMatchObject({
      by: 'local',
      arguments: { item: 'tea', quantity: 2 },
    });
  }, 60_000);
  test('that do not fit the tool do nothing, and the model is told', async () => {
    const { id } = await start(['order', { item: 'oil', quantity: 5 }]);
    await approve((await asked(id)).id, { arguments: { item: 'oil', quantity: 0 } });
    expect((await desk.api.ended(id)).output).toMatch(/not valid, and nothing was done/);
    expect(ordersOf('oil')).toEqual([]);
  }, 60_000);
  test('that a policy forbids do nothing, whoever wrote them', async () => {
    const { id } = await start(['order', { item: 'tin', quantity: 5 }]);
    await approve((await asked(id)).id, { arguments: { item: 'tin', quantity: 50 } });
    expect((await desk.api.ended(id)).output).toMatch(/Ten pieces a run are enough/);
    expect(ordersOf('tin')).toEqual([]);
  }, 60_000);
});

test('what was shown has changed between the yes and the call: asked again with the difference, then done once', async () => {
  desk.prices.set('gold', 10);
  const { id } = await start(['order', { item: 'gold', quantity: 1 }]);
  const first = await asked(id);
  expect(JSON.parse(first.shown!)).toEqual({ price: 10 });
  desk.prices.set('gold', 99);
  await approve(first.id);
  const second = await until('it to be asked again', async () => {
    const open = (await desk.api.pending(id)).find((approval) => approval.id !== first.id);
    return open && desk.api.call<typeof first>('GET', `/v1/approvals/${open.id}`);
  });
  expect(second!.changes).toEqual(['shown.price: 10 → 99']);
  expect(second!.reason).toContain(`${first.id} does not count`);
  expect(ordersOf('gold')).toEqual([]);
  await approve(second!.id);
  expect(await desk.api.ended(id)).toMatchObject({ status: 'completed' });
  expect(ordersOf('gold')).toHaveLength(1);
}, 60_000);

test('how far a worker is reaches whoever watches the run', async () => {
  const bus = await connectNatsBus({ url: desk.nats.url, name: 'worker', log: createLogger({}, { level: 'silent' }) });
  const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  let finish = () => {};
  bus.subscribe('tutti.worker.default.slow.describe', ({ reply }) => {
    bus.publish(reply!, encode({ tools: [{ name: 'work', effect: 'pure' }] }));
  });
  bus.subscribe('tutti.worker.default.slow.call', ({ reply }) => {
    bus.publish(reply!, encode({ progress: 'half of it' }));
    finish = () => bus.publish(reply!, encode({ result: { done: true } }));
  });
  try {
    // The source has to know of it before an agent can.
    await until('the worker', async () =>
      JSON.stringify(await desk.api.call('GET', '/v1/tools?fresh=true')).includes('"work"'),
    );
    const { id } = await start(['work', {}]);
    const events = await fetch(`${desk.url}/v1/runs/${id}/events`);
    let text = '';
    for await (const chunk of events.body!.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      // It ends when somebody has seen how far it is.
      if (text.includes('half of it')) finish();
    }
    const progress = /event: progress\ndata: (.*)/.exec(text)?.[1];
    expect(JSON.parse(progress!)).toMatchObject({ run: id, tool: 'work', text: 'half of it' });
    expect(text).toContain('event: run.completed');
  } finally {
    await bus.close();
  }
}, 60_000);
