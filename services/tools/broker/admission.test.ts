/** Who may send now: places, rates and health, of tools and tenants. */
import type { TuttiError } from '@tutti/contracts';
import { describe, expect, it } from 'vitest';
import { ToolCallError, type ToolResult } from '../ports/tool-source.ts';
import { harness } from '../test-support/harness.ts';
import { createAdmission } from './admission.ts';

const LIMITS = {
  concurrentMax: 5,
  concurrentPerTenantMax: 3,
  concurrentPerToolMax: 2,
  perMinutePerTenantMax: 60,
  failuresMax: 3,
  openMs: 1_000,
  openMsMax: 3_000,
};
const tool = (name: string, limits = {}) => ({ name, limits });
function admission(limits = {}) {
  const time = { now: 0 };
  const made = createAdmission({ ...LIMITS, ...limits }, () => time.now);
  const enter = (tenant: string, name: string, own = {}) => {
    try {
      return made.enter(tenant, tool(name, own));
    } catch (error) {
      const { code, retryAfterMs, message } = error as TuttiError;
      return { code, retryAfterMs, message };
    }
  };
  return { time, enter };
}
type Entered = ReturnType<ReturnType<typeof admission>['enter']>;
const leave = (entered: Entered, how: 'answered' | 'failed' | 'silent' = 'answered') => {
  if (typeof entered !== 'function') throw new Error(`not in: ${entered.message}`);
  entered(how);
};

describe('places', () => {
  it('of a tool, of a tenant and of all; given back once', () => {
    const { enter } = admission();
    const first = enter('a', 'x');
    enter('a', 'x');
    expect(enter('a', 'x')).toMatchObject({
      code: 'overloaded',
      retryAfterMs: 250,
      message: expect.stringMatching(/"x"/),
    });
    enter('a', 'y');
    expect(enter('a', 'z')).toMatchObject({ code: 'overloaded', message: expect.stringMatching(/of "a"/) });
    enter('b', 'x');
    enter('b', 'x');
    expect(enter('c', 'x')).toMatchObject({ code: 'overloaded', message: expect.stringMatching(/^5 tool calls/) });
    leave(first);
    leave(first);
    expect(typeof enter('c', 'x')).toBe('function');
    expect(enter('c', 'x')).toMatchObject({ code: 'overloaded' });
  });
  it('as many as the bundle says', () => {
    const { enter } = admission();
    enter('a', 'x', { concurrentMax: 1 });
    expect(enter('a', 'x', { concurrentMax: 1 })).toMatchObject({ code: 'overloaded' });
  });
});

describe('rates', () => {
  it('of a tool: so many a minute, and says when to come back', () => {
    const { enter, time } = admission();
    const own = { perMinuteMax: 6 };
    for (let i = 0; i < 6; i++) leave(enter('a', 'x', own));
    expect(enter('a', 'x', own)).toMatchObject({ code: 'unavailable', retryAfterMs: 10_000 });
    time.now += 10_000;
    leave(enter('a', 'x', own));
    expect(enter('a', 'x', own)).toMatchObject({ code: 'unavailable' });
    // Another tool, and the same one of another tenant, are others.
    leave(enter('a', 'y', own));
    leave(enter('b', 'x', own));
  });
  it('of a tenant, over all its tools', () => {
    const { enter } = admission();
    for (let i = 0; i < 60; i++) leave(enter('a', `t${i}`));
    expect(enter('a', 'another')).toMatchObject({ code: 'unavailable', message: expect.stringMatching(/tenant "a"/) });
    leave(enter('b', 'another'));
  });
});

describe('a tool that fails', () => {
  it('is left alone, probed by one call, and left alone for longer', () => {
    const { enter, time } = admission();
    for (let i = 0; i < 3; i++) leave(enter('a', 'x'), 'failed');
    expect(enter('a', 'x')).toMatchObject({ code: 'unavailable', retryAfterMs: 1_000 });
    leave(enter('a', 'y'));
    time.now += 1_000;
    const probe = enter('a', 'x');
    expect(enter('a', 'x')).toMatchObject({ code: 'unavailable' });
    leave(probe, 'failed');
    expect(enter('a', 'x')).toMatchObject({ retryAfterMs: 2_000 });
    time.now += 2_000;
    leave(enter('a', 'x'), 'failed');
    expect(enter('a', 'x')).toMatchObject({ retryAfterMs: 3_000 });
    time.now += 3_000;
    leave(enter('a', 'x'));
    for (let i = 0; i < 2; i++) leave(enter('a', 'x'), 'failed');
    leave(enter('a', 'x'));
  });
  it('is no worse for a call that was never sent, and a probe without a word leaves room for the next', () => {
    const { enter, time } = admission();
    for (let i = 0; i < 9; i++) leave(enter('a', 'x'), 'silent');
    for (let i = 0; i < 3; i++) leave(enter('a', 'x'), 'failed');
    time.now += 1_000;
    leave(enter('a', 'x'), 'silent');
    leave(enter('a', 'x'));
  });
});

describe('in the broker', () => {
  const fails = (): never => {
    throw new ToolCallError('no', 'cannot be reached');
  };
  const ok = (): ToolResult => ({ content: '{"number":1}', isError: false, data: { number: 1 } });
  it('a call that finds its tool left alone writes nothing, and is made later', async () => {
    const h = harness({ env: { TUTTI_TOOLS_BREAKER_FAILURES_MAX: '1', TUTTI_TOOLS_CALL_TRIES_MAX: '1' } });
    h.source.script = [fails, ok];
    await expect(h.execute()).rejects.toMatchObject({ code: 'unavailable' });
    await expect(h.execute({ callId: 'call_2' })).rejects.toMatchObject({
      code: 'unavailable',
      retryable: true,
      message: expect.stringMatching(/left alone after 1 failures/),
    });
    expect(h.ledger.kinds('call_2')).toEqual([]);
    h.time.monotonicMs += 2_000;
    expect(await h.execute({ callId: 'call_2' })).toMatchObject({ status: 'done' });
    expect(await h.execute()).toMatchObject({ status: 'done' });
  });
  it('an answer that says no is an answer: the tool is well', async () => {
    const h = harness({ env: { TUTTI_TOOLS_BREAKER_FAILURES_MAX: '1' } });
    h.source.script = [() => ({ content: 'HTTP 422', isError: true })];
    for (const callId of ['call_1', 'call_2', 'call_3'])
      expect(await h.execute({ callId })).toMatchObject({ status: 'done', isError: true });
  });
  it('a rate that the bundle sets holds', async () => {
    const h = harness({ effect: 'pure', limits: { perMinuteMax: 1 } });
    expect(await h.execute()).toMatchObject({ status: 'done' });
    await expect(h.execute()).rejects.toMatchObject({ code: 'unavailable', retryAfterMs: 60_000 });
  });
});
