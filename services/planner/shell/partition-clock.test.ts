import type { Clock } from '@tutti/runtime';
import { expect, test } from 'vitest';
import { PartitionClock } from './partition-clock.ts';

function machine(wall: number) {
  const state = { wall, monotonic: 50 };
  const clock = { now: () => Math.floor(state.wall), monotonic: () => state.monotonic } as Clock;
  const pass = (ms: number) => {
    state.wall += ms;
    state.monotonic += ms;
  };
  return { state, clock, pass };
}

test('goes with the wall clock, also when that is set forward', () => {
  const { state, clock, pass } = machine(1_000);
  const time = new PartitionClock(clock, 0);
  pass(500);
  expect(time.now()).toBe(1_500);
  state.wall += 3_600_000;
  expect(time.now()).toBe(3_601_500);
});

test('goes on at half the pace when the wall clock is set back, until that has caught up', () => {
  const { state, clock, pass } = machine(100_000);
  const time = new PartitionClock(clock, 0);
  state.wall -= 10_000;
  expect(time.now()).toBe(100_000);
  // Looked at every tenth of a millisecond or once a second: as much time passes.
  for (let i = 0; i < 10_000; i++) {
    pass(0.1);
    time.now();
  }
  expect(time.now()).toBe(100_500);
  pass(1_000);
  expect(time.now()).toBe(101_000);
  pass(30_000);
  expect(time.now()).toBe(Math.floor(state.wall));
});

test('does not begin before what the log knows of', () => {
  const { clock, pass } = machine(1_000);
  const time = new PartitionClock(clock, 5_000);
  expect(time.now()).toBe(5_000);
  pass(1_000);
  expect(time.now()).toBe(5_500);
});
