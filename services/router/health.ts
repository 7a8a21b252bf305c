/** The breakers of all targets of this process (provider, model and key), and how fast and how well they answered of late. */
import {
  type Breaker,
  type BreakerLimits,
  blockedBy,
  closedBreaker,
  onAbandoned,
  onCoolDown,
  onFailure,
  onSent,
  onSuccess,
} from './core/breaker.ts';
import type { Health } from './core/choose.ts';
import { countsAgainstHealth, type FailureKind } from './core/failure.ts';

export interface ModelHealth {
  of: Health;
  /** A request goes out. A reason: it may not, for the circuit has opened or another probe is under way since it was chosen. */
  admit(target: string): string | undefined;
  succeeded(target: string, durationMs: number): void;
  failed(target: string, kind: FailureKind): void;
  coolDown(target: string, durationMs: number): void;
}

/** Of the newest call in the averages. */
const NEWEST_SHARE = 0.2;
/** Targets that are remembered; the one that was used longest ago is forgotten. */
const TARGETS_MAX = 2_000;

interface Record {
  breaker: Breaker;
  failureShare: number;
  latencyMs: number | undefined;
}

export function createModelHealth(limits: BreakerLimits, clock: () => number = Date.now): ModelHealth {
  const records = new Map<string, Record>();
  function recordOf(target: string): Record {
    let record = records.get(target);
    if (record) return record;
    if (records.size >= TARGETS_MAX) records.delete(records.keys().next().value as string);
    record = { breaker: closedBreaker, failureShare: 0, latencyMs: undefined };
    records.set(target, record);
    return record;
  }
  return {
    of(target) {
      const record = records.get(target);
      if (!record) return undefined;
      const { breaker, failureShare, latencyMs } = record;
      return { blocked: blockedBy(breaker, clock()), failureShare, latencyMs };
    },
    admit(target) {
      const record = recordOf(target);
      const blocked = blockedBy(record.breaker, clock());
      if (blocked === undefined) record.breaker = onSent(record.breaker);
      return blocked;
    },
    succeeded(target, durationMs) {
      const record = recordOf(target);
      record.breaker = onSuccess(record.breaker);
      record.failureShare *= 1 - NEWEST_SHARE;
      record.latencyMs =
        record.latencyMs === undefined ? durationMs : record.latencyMs + NEWEST_SHARE * (durationMs - record.latencyMs);
    },
    failed(target, kind) {
      const record = recordOf(target);
      if (!countsAgainstHealth(kind)) {
        record.breaker = onAbandoned(record.breaker);
        return;
      }
      record.breaker = onFailure(record.breaker, clock(), limits);
      record.failureShare += NEWEST_SHARE * (1 - record.failureShare);
    },
    coolDown(target, durationMs) {
      const record = recordOf(target);
      record.breaker = onCoolDown(record.breaker, clock() + durationMs);
    },
  };
}
