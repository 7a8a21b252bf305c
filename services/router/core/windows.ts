/** Calendar windows in UTC. */
import type { BudgetWindow } from '@tutti/contracts';

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
/** The Unix epoch was a Thursday: the Monday before it. */
const MONDAY_MS = -3 * DAY_MS;

export interface WindowSpan {
  since: number;
  /** Null: it never ends. */
  until: number | null;
}

export function windowAt(window: BudgetWindow, now: number): WindowSpan {
  switch (window) {
    case 'minute':
      return fixed(now, MINUTE_MS, 0);
    case 'hour':
      return fixed(now, HOUR_MS, 0);
    case 'day':
      return fixed(now, DAY_MS, 0);
    case 'week':
      return fixed(now, 7 * DAY_MS, MONDAY_MS);
    case 'month': {
      const date = new Date(now);
      const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()];
      return { since: Date.UTC(year, month), until: Date.UTC(year, month + 1) };
    }
    case 'total':
      return { since: 0, until: null };
    default: {
      const never: never = window;
      throw new Error(`unknown window ${never}`);
    }
  }
}

function fixed(now: number, lengthMs: number, from: number): WindowSpan {
  const since = Math.floor((now - from) / lengthMs) * lengthMs + from;
  return { since, until: since + lengthMs };
}

/** `2026-11-26`. */
export function dayOf(now: number): string {
  return new Date(now).toISOString().slice(0, 10);
}
