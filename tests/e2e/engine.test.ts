/** What the engine can do beyond running to an answer, on real processes over HTTP: questions, sleeps, schedules, forks, preflight. */
import type { RunEntry } from '@tutti/contracts';
import { until } from '@tutti/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Fleet } from '../crash/fleet.ts';
import { crashBundle, type Outside, startOutside } from '../crash/outside.ts';
import { client, type Run } from './client.ts';

let outside: Outside;
/** How slow the shop is: 0 to 1, and beyond. */
let slow = 0;
let fleet: Fleet;
let api: ReturnType<typeof client>;

beforeAll(async () => {
  outside = await startOutside(() => slow);
  const model = { OPENAI_BASE_URL: outside.modelUrl, OPENAI_API_KEY: 'none', TUTTI_MODEL: 'scripted' };
  // Nothing stays in the log for long: whatever looks back has to do with what memory projected.
  const env = { ...model, TUTTI_LOG_KEEP_MS: '1', TUTTI_CHECKPOINT_ENTRIES: '50' };
  fleet = new Fleet({ env, cluster: false, fsync: false });
  await fleet.start();
  api = client(fleet.url);
  await api.call('POST', '/v1/bundles', crashBundle(outside.shopUrl));
}, 120_000);
afterAll(async () => {
  await fleet?.stop();
  outside?.close();
});

const start = (input: string, more: object = {}) =>
  api.call<Run>('POST', '/v1/runs', { agent: 'react', input, ...more });
async function journal(run: string): Promise<RunEntry[]> {
  const response = await fetch(`${fleet.url}/v1/runs/${run}/journal?format=jsonl`);
  return (await response.text())
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

describe('a run that waits', () => {
  test('for its user outlives every planner, is found where it was, and takes one answer', async () => {
    const { id } = await start('ask colour');
    const question = await api.question(id);
    expect(question.text).toBe('Which colour?');
    const view = await api.call<Run & { waiting_for: string }>('GET', `/v1/runs/${id}`);
    expect(view).toMatchObject({ status: 'waiting', waiting_for: 'input' });
    // Long enough to be written out.
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    await fleet.killAll('planner');
    await until('the answer to be taken', () => api.answer(id, 'blue').then(() => true));
    expect(await api.ended(id)).toMatchObject({ status: 'completed', output: 'done colour: blue' });
    await expect(api.answer(id, 'red')).rejects.toThrow(/409.*asks nothing/);
    const types = (await journal(id)).map(({ type }) => type);
    expect(types.filter((type) => type === 'question.answered')).toHaveLength(1);
  });

  test('for a clock goes on when it rings', async () => {
    const { id } = await start('sleep well');
    await until('it to sleep', async () => (await api.run(id)).status === 'waiting');
    expect(await api.ended(id)).toMatchObject({ status: 'completed', output: 'done well' });
  });
});

describe('a busy session', () => {
  test('does with the next message what the message says', async () => {
    const first = await start('ask first', { session: 'busy' });
    await api.question(first.id);
    const rejected = await start('react rejected', { session: 'busy', whenBusy: 'reject' });
    expect(await api.ended(rejected.id)).toMatchObject({ status: 'failed', error: { code: 'conflict' } });
    const beside = await start('react beside', { session: 'busy', whenBusy: 'parallel' });
    expect(await api.ended(beside.id)).toMatchObject({ status: 'completed' });
    const last = await start('react last', { session: 'busy', whenBusy: 'interrupt' });
    expect(await api.ended(last.id)).toMatchObject({ status: 'completed', output: 'done last' });
    expect(await api.run(first.id)).toMatchObject({ status: 'cancelled' });
  });
});

describe('a schedule', () => {
  const path = '/v1/schedules/often';
  interface Schedule {
    next: string[];
    last: { at: string; run: string } | null;
  }

  test('starts one run a tick until it is removed', async () => {
    const body = { cron: '*/2 * * * * *', agent: 'react', input: 'react tick' };
    const set = await api.call<Schedule>('PUT', path, body);
    expect(set.next).toHaveLength(5);
    const ticks = new Map<string, string>();
    await until('three ticks', async () => {
      const { last } = await api.call<Schedule>('GET', path).catch(() => ({ last: null }));
      if (last) ticks.set(last.at, last.run);
      return ticks.size >= 3;
    });
    expect(new Set(ticks.values()).size).toBe(ticks.size);
    for (const run of ticks.values()) if (run) expect(await api.ended(run)).toMatchObject({ status: 'completed' });
    await api.call('DELETE', path);
    await until('it to be gone', () =>
      api.call('GET', path).then(
        () => false,
        (error: Error) => /404/.test(error.message),
      ),
    );
  });

  test('that could never tick is refused with the reason', async () => {
    const body = { agent: 'react', input: 'x' };
    await expect(api.call('PUT', path, { ...body, cron: '61 * * * *' })).rejects.toThrow(/400.*61/);
    await expect(api.call('PUT', path, { ...body, cron: '0 9 * * *', timeZone: 'Mars/One' })).rejects.toThrow(/400/);
    await expect(api.call('PUT', path, { ...body, at: '2020-01-01T00:00:00Z' })).rejects.toThrow(/400.*past/);
    await expect(api.call('PUT', path, { ...body, cron: '0 9 * * *', agent: 'nobody' })).rejects.toThrow(/404.*nobody/);
  });
});

describe('a journal', () => {
  test('is exported, looked into, forked without doing anything twice, and tried under another bundle', async () => {
    const { id } = await start('react parcel');
    expect(await api.ended(id)).toMatchObject({ status: 'completed', output: 'done parcel' });
    const entries = await journal(id);
    expect(entries.map(({ n }) => n)).toEqual(entries.map((_, index) => index + 1));

    const turn = entries.findIndex((entry) => entry.type === 'step.completed' && entry.result.kind === 'complete') + 1;
    const early = await api.call<{ state: { phase: string; open: object } }>('GET', `/v1/runs/${id}/state?version=2`);
    expect(early.state).toMatchObject({ phase: 'gather', open: {} });
    await expect(api.call('GET', `/v1/runs/${id}/state?version=999`)).rejects.toThrow(/400.*no version 999/);

    // Both calls are open at this version: the ledger tells what came of the reservation.
    const calls = entries.filter((entry) => entry.type === 'step.requested' && entry.step.kind === 'execute');
    const version = calls.at(-1)!.n;
    expect(version).toBeGreaterThan(turn);
    const fork = await api.call<Run>('POST', `/v1/runs/${id}/fork`, { version, effects: 'block' });
    expect(await api.ended(fork.id)).toMatchObject({ status: 'completed', output: 'done parcel' });
    expect(outside.effects.get('parcel')).toBe(1);
    const forked = await journal(fork.id);
    expect(forked.slice(0, version).map(({ n, type }) => [n, type])).toEqual(
      entries.slice(0, version).map(({ n, type }) => [n, type]),
    );
    expect(forked[version]).toMatchObject({ type: 'run.forked', of: id, version });

    // Before the calls: they are the fork's own, and it may not change anything.
    const blocked = await api.call<Run>('POST', `/v1/runs/${id}/fork`, {
      version: turn - 1,
      input: 'react other',
      effects: 'block',
    });
    expect(await api.ended(blocked.id)).toMatchObject({ status: 'completed', output: 'done other' });
    expect(outside.effects.get('other')).toBeUndefined();
    await expect(api.call('POST', `/v1/runs/${id}/fork`, { version: entries.length })).rejects.toThrow(/400.*ending/);

    const bundle = crashBundle(outside.shopUrl);
    const same = await api.call<{ diverging: number; same: number }>('POST', '/v1/preflight', { bundle, runs: [id] });
    expect(same).toMatchObject({ same: 1, diverging: 0 });
    for (const agent of Object.values(bundle.agents)) agent.instructions = 'Do something else.';
    const other = await api.call<{ data: object[] }>('POST', '/v1/preflight', { bundle, runs: [id] });
    expect(other.data).toMatchObject([
      { run: id, verdict: 'diverges', reason: expect.stringContaining('instructions') },
    ]);
  });

  const preflight = (body: object) =>
    api.call<{ data: { run: string; verdict: string; reason?: string }[]; next: string | null }>(
      'POST',
      '/v1/preflight',
      { bundle: crashBundle(outside.shopUrl), ...body },
    );

  test('of a run that waits is forked: the fork asks for itself, and what it did is not done again', async () => {
    const { id } = await start('approve lamp');
    const { approval } = await api.approvalOrEnd(id);
    await until('it to be written out', async () => (await api.run(id)).status === 'waiting');
    const version = (await journal(id)).length;
    const fork = await api.call<Run>('POST', `/v1/runs/${id}/fork`, {
      version,
      model: 'scripted',
      instructions: 'Be quick.',
    });
    const { run, approvals } = await api.finish(fork.id);
    expect(run).toMatchObject({ status: 'completed', output: 'done lamp' });
    expect(approvals).toMatchObject([{ run: fork.id, tool: 'order' }]);
    expect(approvals[0]!.id).not.toBe(approval!.id);
    expect(await api.pending(id)).toMatchObject([{ id: approval!.id }]);
    await api.decide(approval!.id, 'approve');
    expect(await api.ended(id)).toMatchObject({ status: 'completed', output: 'done lamp' });
    expect(outside.effects.get('lamp')).toBe(1);
    // Another goal from before the call: an effect of the fork's own, which is asked for.
    const turn = (await journal(id)).find((entry) => entry.type === 'step.requested' && entry.step.kind === 'complete');
    const other = await api.call<Run>('POST', `/v1/runs/${id}/fork`, { version: turn!.n, input: 'approve vase' });
    expect((await api.finish(other.id)).approvals.map((one) => one.arguments)).toEqual([{ what: 'vase' }]);
    expect([outside.effects.get('lamp'), outside.effects.get('vase')]).toEqual([1, 1]);
  });

  test('of whatever waits, or has run, is tried under a bundle page by page: all the same under its own', async () => {
    const { id: plan } = await start('plan trip', { agent: 'plan' });
    await api.ended(plan);
    const waiting = [await start('ask size'), await start('approve desk')].map(({ id }) => id);
    const scope = async (body: { scope: string; limit: number }) => {
      const data: { run: string; verdict: string; reason?: string }[] = [];
      for (let before: string | null = null; ; ) {
        const page: Awaited<ReturnType<typeof preflight>> = await preflight({ ...body, ...(before ? { before } : {}) });
        data.push(...page.data);
        before = page.next;
        if (before === null) return data;
      }
    };
    await until('both to be known to wait', async () => {
      const known = (await scope({ scope: 'waiting', limit: 1 })).map(({ run }) => run);
      return waiting.every((id) => known.includes(id));
    });
    const recent = await scope({ scope: 'recent', limit: 7 });
    expect(recent.length).toBeGreaterThan(7);
    expect(new Set(recent.map(({ run }) => run)).size).toBe(recent.length);
    expect(recent.map(({ run }) => run)).toEqual(expect.arrayContaining([plan, ...waiting]));
    expect(recent.filter(({ verdict }) => verdict !== 'same')).toEqual([]);
  });

  test('of a cancelled run says what came of its calls after that', async () => {
    slow = 20;
    const { id } = await start('react sofa');
    await until('it to call', async () =>
      (await journal(id)).some((entry) => entry.type === 'step.requested' && entry.step.kind === 'execute'),
    );
    await api.call('POST', `/v1/runs/${id}/cancel`, { reason: 'changed my mind' });
    expect(await api.ended(id)).toMatchObject({ status: 'cancelled' });
    const late = await until('what came late', async () => {
      const page = await api.call<{ late: { tool: string }[] | null }>('GET', `/v1/runs/${id}/journal`);
      return page.late?.some(({ tool }) => tool === 'reserve') ? page.late : null;
    });
    slow = 0;
    const lines = (await journal(id)) as { type: string; tool?: string }[];
    expect(lines.filter(({ type }) => type === 'result.late').map(({ tool }) => tool)).toEqual(
      late.map(({ tool }) => tool),
    );
    expect(lines.filter(({ type }) => type !== 'result.late').at(-1)).toMatchObject({ type: 'run.cancelled' });
  });
});
