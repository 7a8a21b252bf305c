/**
 * Which calls may go out now: how many at once (in all, of a tenant, of a tool), how many a minute (of a tenant, of a
 * tool), and whether the tool has failed too often of late. Over it: refused at once with a hint, nothing is queued. All
 * of it counts in this process alone: so many replicas, so many times as much.
 * Too many at once is `overloaded`, which makes planners send less of everything; what concerns one tool or tenant over
 * a longer time is `unavailable`, which makes that call wait.
 */
import { TuttiError } from '@tutti/contracts';
import { type Breaker, type BreakerLimits, blockedForMs, CLOSED, onEnded, onSent } from '../core/breaker.ts';
import { type Bucket, fullBucket, isFull, takeOne } from '../core/rate.ts';
import type { Tool } from '../toolbox/toolbox.ts';

export const BUSY_RETRY_MS = 250;
/** Tools and tenants whose rate or health is remembered. */
const REMEMBERED_MAX = 10_000;

export interface AdmissionLimits extends BreakerLimits {
  concurrentMax: number;
  concurrentPerTenantMax: number;
  concurrentPerToolMax: number;
  perMinutePerTenantMax: number;
}
export type Ending = 'answered' | 'failed' | 'silent';
/** Gives the place back, and says what came of the call. Only the first word counts. */
export type Leave = (how: Ending) => void;

export interface Admission {
  /** Throws TuttiError `overloaded` or `unavailable`, with when to come back. */
  enter(tenant: string, tool: Pick<Tool, 'name' | 'limits'>): Leave;
}

export function createAdmission(limits: AdmissionLimits, now: () => number): Admission {
  const running = new Map<string, number>();
  const buckets = new Map<string, Bucket>();
  const breakers = new Map<string, Breaker>();
  let all = 0;

  const count = (key: string, by: 1 | -1): void => {
    const left = (running.get(key) ?? 0) + by;
    if (left === 0) running.delete(key);
    else running.set(key, left);
  };
  const busy = (what: string): TuttiError => new TuttiError('overloaded', what, { retryAfterMs: BUSY_RETRY_MS });
  const later = (what: string, retryAfterMs: number): TuttiError =>
    new TuttiError('unavailable', what, { retryAfterMs });

  function takeFrom(key: string, perMinuteMax: number, whose: string): void {
    const at = now();
    const { bucket, waitMs } = takeOne(buckets.get(key) ?? fullBucket(perMinuteMax, at), perMinuteMax, at);
    buckets.set(key, bucket);
    if (buckets.size > REMEMBERED_MAX)
      for (const [other, { tokens }] of buckets)
        if (isFull({ tokens, at: buckets.get(other)!.at }, perMinuteMax, at)) buckets.delete(other);
    if (waitMs > 0) throw later(`${perMinuteMax} calls a minute are the limit of ${whose}`, waitMs);
  }

  function setBreaker(key: string, breaker: Breaker): void {
    if (breaker === CLOSED) breakers.delete(key);
    else breakers.set(key, breaker);
    if (breakers.size > REMEMBERED_MAX) breakers.delete(breakers.keys().next().value as string);
  }

  return {
    enter(tenant, tool) {
      const key = `${tenant}/${tool.name}`;
      const { concurrentMax = limits.concurrentPerToolMax, perMinuteMax } = tool.limits;
      const ofTool = running.get(key) ?? 0;
      const ofTenant = running.get(tenant) ?? 0;
      if (all >= limits.concurrentMax) throw busy(`${all} tool calls run at once, the limit`);
      if (ofTenant >= limits.concurrentPerTenantMax)
        throw busy(`${ofTenant} tool calls of "${tenant}" run at once, the limit`);
      if (ofTool >= concurrentMax) throw busy(`${ofTool} calls of "${tool.name}" run at once, the limit`);
      const breaker = breakers.get(key) ?? CLOSED;
      const blockedMs = blockedForMs(breaker, now(), limits);
      if (blockedMs > 0)
        throw later(`"${tool.name}" is left alone after ${breaker.failures} failures in a row`, blockedMs);
      if (perMinuteMax !== undefined) takeFrom(key, perMinuteMax, `"${tool.name}"`);
      takeFrom(tenant, limits.perMinutePerTenantMax, `the tenant "${tenant}"`);
      setBreaker(key, onSent(breaker));
      all += 1;
      count(tenant, 1);
      count(key, 1);
      let inside = true;
      return (how) => {
        if (!inside) return;
        inside = false;
        all -= 1;
        count(tenant, -1);
        count(key, -1);
        setBreaker(key, onEnded(breakers.get(key) ?? CLOSED, how, now(), limits));
      };
    },
  };
}
