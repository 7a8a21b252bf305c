/** What runs hand to each other fits a message of the bus (1 MiB by default), whatever they have gathered. */
import { describe, expect, test } from 'vitest';
import { ACTIONS_BYTES_MAX, boundActions, boundText, TEXT_BYTES_MAX } from './bounds.ts';
import { done } from './test-kit/parts.ts';
import { Spec } from './test-kit/spec.ts';

const MESSAGE_BYTES_MAX = 1_048_576 - 16_384;
const bytesOf = (value: unknown) => Buffer.byteLength(JSON.stringify(value));

describe('bounds', () => {
  test.each(['x', 'ü', '\u0000', '😀', '"'])('text of %j keeps its beginning, within its bytes', (char) => {
    for (const [length, bytesMax] of [
      [10, 1_000],
      [1_000, 1_000],
      [100_000, 5_000],
      [100_000, 0],
    ] as const) {
      const bounded = boundText(char.repeat(length), bytesMax);
      expect(bytesOf(bounded)).toBeLessThanOrEqual(bytesMax + 100);
      if (bounded.length !== char.length * length) expect(bounded).toMatch(/more characters are in the journal\)$/);
    }
  });

  test('of actions the newest are kept whole, older ones shortened, the oldest left out', () => {
    const action = (n: number, chars: number) =>
      ({
        callId: `c${n}`,
        tool: 't',
        arguments: {},
        content: 'x'.repeat(chars),
        isError: false,
        effect: 'pure',
      }) as const;
    const bounded = boundActions(Array.from({ length: 300 }, (_, n) => action(n, 32_000)));
    expect(bytesOf(bounded)).toBeLessThanOrEqual(ACTIONS_BYTES_MAX);
    expect(bounded.at(-1)).toEqual(action(299, 32_000));
    expect(bounded[0]!.content.length).toBeLessThan(1_000);
    expect(bounded.length).toBeGreaterThan(50);
  });
});

/** A run that has read 40 long results. */
function wellRead(spec: Spec, run: string): void {
  const calls = Array.from({ length: 40 }, (_, n): [string, Record<string, unknown>] => ['look', { n }]);
  spec.gather(run).model(run, null, ...calls);
  for (const { callId } of spec.open(run)) spec.result(run, callId, done('x'.repeat(32_000)));
}

describe('one message holds', () => {
  const options = { checked: false };

  test('a start that interrupts runs which had read much', () => {
    const spec = new Spec({ a: {} }, options);
    const session = 'ses_one';
    for (let i = 0; i < 3; i++) {
      const run = spec.start('a', { session, whenBusy: 'interrupt', input: `${i}${'ü'.repeat(99_999)}` });
      expect(bytesOf(spec.last.entries.filter((entry) => entry.run === run))).toBeLessThan(MESSAGE_BYTES_MAX);
      wellRead(spec, run);
    }
    const last = spec.start('a', { session, whenBusy: 'interrupt' });
    const { interrupted } = spec.active(last);
    expect(interrupted.map(({ input }) => input[0])).toEqual(['0', '1', '2']);
    expect(bytesOf(interrupted)).toBeLessThan(ACTIONS_BYTES_MAX + TEXT_BYTES_MAX + 10_000);
    // The newest is told whole.
    expect(interrupted.at(-1)!.input).toHaveLength(100_000);
  });

  test('the end of a child that had much to say, and the tasks that need it', () => {
    const spec = new Spec({ a: { strategy: 'plan' } }, options);
    const run = spec.start('a');
    const needy = ['b', 'c', 'd'].map((id) => ({ id, dependsOn: ['a'] }));
    spec.gather(run).plan(run, [{ id: 'a' }, ...needy]);
    const [child] = spec.children(run);
    spec.mail();
    wellRead(spec, child!);
    spec.model(child!, 'ü'.repeat(1_000_000));
    const [letter] = spec.letters(`ended:${child}`);
    expect(bytesOf(letter)).toBeLessThan(MESSAGE_BYTES_MAX);
    spec.mail();
    expect(spec.children(run)).toHaveLength(3);
    for (const entry of spec.entries(run, 'child.started')) expect(bytesOf(entry)).toBeLessThan(MESSAGE_BYTES_MAX);
  });

  test("what one tick leads to fits one message, however many runs it ends; the rest is the next one's", () => {
    const spec = new Spec({ a: { limits: { wallTimeMs: 60_000 } } }, { checked: false });
    const runs = Array.from({ length: 400 }, () => spec.start('a'));
    for (const run of runs) {
      spec.gather(run).gather(run).model(run, null, ['look', {}]);
      spec.does(run, 'look', done('ü'.repeat(8_000)));
    }
    let ticks = 0;
    for (spec.now += 60_000; spec.state.due.peek(spec.now); ticks++) {
      const { entries } = spec.take({ kind: 'tick' });
      expect(entries.length).toBeGreaterThan(0);
      expect(bytesOf(entries)).toBeLessThan(MESSAGE_BYTES_MAX);
    }
    expect(ticks).toBeGreaterThan(1);
    expect(runs.map((run) => spec.status(run))).toEqual(runs.map(() => 'failed'));
  });

  test('of many places that come free at once a few are given with one input, and the rest with the next ones', () => {
    const spec = new Spec({ a: {} }, { checked: false, activeRunsMax: 1 });
    const runs = Array.from({ length: 121 }, () => spec.start('a'));
    spec.env.admission.activeRunsMax = 1_000;
    const begun = () => runs.filter((run) => spec.status(run) === 'running').length;
    const steps: number[] = [];
    do {
      spec.take({ kind: 'tick' });
      steps.push(begun());
    } while (spec.last.more);
    expect(steps).toEqual([51, 101, 121]);
  });
});
