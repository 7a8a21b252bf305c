import { expect, test } from 'vitest';
import { checkTiming, nextTick } from './cron.ts';

const at = (iso: string) => Date.parse(iso);
const cron = (expression: string, timeZone = 'UTC') => ({ type: 'cron' as const, cron: expression, timeZone });

test('ticks in the zone that it names, after the moment that is given', () => {
  expect(nextTick(cron('0 9 * * 1-5', 'Europe/Berlin'), at('2026-11-27T09:00:00Z'))).toBe(at('2026-11-30T08:00:00Z'));
  expect(nextTick(cron('*/10 * * * * *'), at('2026-01-01T00:00:00Z'))).toBe(at('2026-01-01T00:00:10Z'));
});

test('a local time that does not exist ticks at the end of the gap, one that comes twice ticks once', () => {
  const spring = nextTick(cron('30 2 * * *', 'Europe/Berlin'), at('2027-03-27T12:00:00Z'))!;
  expect(new Date(spring).toISOString()).toBe('2027-03-28T01:00:00.000Z');
  const first = nextTick(cron('30 2 * * *', 'Europe/Berlin'), at('2026-10-24T12:00:00Z'))!;
  const second = nextTick(cron('30 2 * * *', 'Europe/Berlin'), first)!;
  expect(second - first).toBeGreaterThan(20 * 3_600_000);
});

test('a moment ticks once', () => {
  expect(nextTick({ type: 'once', at: 5 }, 4)).toBe(5);
  expect(nextTick({ type: 'once', at: 5 }, 5)).toBeNull();
});

test('says what is wrong', () => {
  expect(() => checkTiming(cron('61 * * * *'))).toThrow(/61 \* \* \* \*/);
  expect(() => checkTiming(cron('0 9 * * *', 'Mars/Olympus'))).toThrow(/Mars\/Olympus/);
  expect(() => checkTiming(cron('every day'))).toThrow();
});
