/** Time in a partition: the heap of what comes due, against a list that is sorted anew each time, and what moves the clock. */
import { contentHash } from '@tutti/contracts';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Due, DueHeap, type DueKind } from './due.ts';
import { runId, sessionId, startMessage } from './test-kit/parts.ts';
import { Spec } from './test-kit/spec.ts';

const owner = fc.constantFrom('r1', 'r2', 'r3', 'r4', 'r5');
const kind = fc.constantFrom<DueKind>('retry', 'wall', 'sleep');
const id = fc.constantFrom('', 'a', 'b');
const at = fc.nat(20);
const action = fc.oneof(
  fc.record({ do: fc.constant('set' as const), owner, kind, id, at }),
  fc.record({ do: fc.constant('remove' as const), owner, kind, id }),
  fc.record({ do: fc.constant('take' as const), at }),
);

describe('the heap', () => {
  test('holds what a sorted list would, through any sets, moves, removals and takings', () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 120 }), (actions) => {
        const heap = new DueHeap();
        const list = new Map<string, Due>();
        const earliest = () => Math.min(...[...list.values()].map((due) => due.at));
        for (const one of actions) {
          if (one.do === 'take') {
            const first = heap.peek(one.at);
            expect(first !== undefined).toBe(earliest() <= one.at);
            if (!first) continue;
            expect(first.at).toBe(earliest());
            heap.remove(first.owner, first.kind, first.id);
            expect(list.delete(`${first.owner} ${first.kind} ${first.id}`)).toBe(true);
            continue;
          }
          const key = `${one.owner} ${one.kind} ${one.id}`;
          if (one.do === 'set') list.set(key, { at: one.at, kind: one.kind, owner: one.owner, id: one.id });
          else list.delete(key);
          if (one.do === 'set') heap.set(one.owner, one.kind, one.id, one.at);
          else heap.remove(one.owner, one.kind, one.id);
          expect(heap.size).toBe(list.size);
          expect(heap.nextAt).toBe(list.size > 0 ? earliest() : undefined);
        }
        const order = (a: Due, b: Due) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);
        const plain = ({ at: when, kind: what, owner: whose, id: which }: Due) => ({
          at: when,
          kind: what,
          owner: whose,
          id: which,
        });
        expect(heap.all().sort(order)).toEqual([...list.values()].map(plain).sort(order));
      }),
      { numRuns: 500 },
    );
  });

  test('costs the logarithm of what is in it', () => {
    const heap = new DueHeap();
    for (let i = 0; i < 100_000; i++) heap.set(`run${i}`, 'wall', '', (i * 7_919) % 100_003);
    let last = -1;
    for (let due = heap.peek(Number.MAX_VALUE); due; due = heap.peek(Number.MAX_VALUE)) {
      if (due.at < last) throw new Error(`${due.at} after ${last}`);
      last = due.at;
      heap.remove(due.owner, due.kind, due.id);
    }
    expect(heap.size).toBe(0);
  });
});

describe('the latest moment that a partition knows of', () => {
  test('is moved by what happens in it, not by what a fork repeats of another one’s time', () => {
    const original = new Spec({ a: {} });
    original.now += 10 * 365 * 86_400_000;
    const run = original.start('a');
    original.gather(run);
    const spec = new Spec({ a: {} });
    const entries = structuredClone(original.log);
    const link = { run, version: entries.length, effects: 'approve' as const, blob: 'b', memorySession: 's' };
    const session = sessionId(77);
    const start = { agent: 'a', bundle: contentHash(spec.bundle), fork: link };
    const message = startMessage(runId(session, 77), session, spec.now, start);
    spec.take({ ...spec.input(message), prefix: { v: 1, entries, toolset: null } } as never);
    expect(spec.active(message.run)).toMatchObject({ startedAt: spec.now, acceptedAt: spec.now });
    expect(spec.state.at).toBe(spec.now);
  });
});
