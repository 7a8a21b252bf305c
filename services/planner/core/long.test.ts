/** A step costs the same in a long run as in a short one: in entries that are gone through, in bytes that are written and that are sent. */
import { expect, test } from 'vitest';
import { THREAD_TURNS_MAX } from './conversation.ts';
import { requestOf } from './requests.ts';
import { Spec } from './test-kit/spec.ts';

const STEPS = 1_000;
/** Everything that a model may see of the thread is there. */
const EARLY = 2 * THREAD_TURNS_MAX;

interface Cost {
  visited: number;
  written: number;
  sent: number;
}

/** Counts the elements that anybody looks at. */
function counting<T>(list: T[], cost: Cost): T[] {
  return new Proxy(list, {
    get(target, key) {
      if (typeof key === 'string' && /^\d+$/.test(key)) cost.visited++;
      return Reflect.get(target, key);
    },
  });
}

/** What each step cost: the models' turns and the calls in between. */
function costs(): Cost[] {
  const limits = { stepsMax: STEPS + 10, modelCallsMax: STEPS, toolCallsMax: STEPS };
  const spec = new Spec({ a: { limits } }, { checked: false });
  const run = spec.start('a');
  spec.gather(run);
  const active = spec.active(run);
  const now: Cost = { visited: 0, written: 0, sent: 0 };
  for (const list of ['actions', 'thread', 'approvals', 'earlier', 'tasks'] as const)
    Object.assign(active, { [list]: counting<unknown>(active[list], now) });
  const all: Cost[] = [];
  while (all.length < STEPS) {
    Object.assign(now, { visited: 0, written: 0, sent: 0 });
    const [open] = spec.open(run);
    if (open!.step.kind === 'complete') spec.model(run, null, ['look', { at: 100_000 + all.length }]);
    else spec.does(run, 'look');
    now.written = JSON.stringify(spec.batches.at(-1)).length;
    const [next] = spec.open(run);
    now.sent = JSON.stringify(requestOf(spec.state, active, next!, spec.bundle.agents.a!, spec.bundle)).length;
    all.push({ ...now });
  }
  return all;
}

test(`a step costs the same after ${STEPS} as after ${EARLY}`, () => {
  const all = costs();
  const sum = (from: number, what: keyof Cost) =>
    all.slice(from, from + 100).reduce((total, cost) => total + cost[what], 0);
  for (const what of ['visited', 'written', 'sent'] as const) {
    const [early, late] = [sum(EARLY, what), sum(STEPS - 100, what)];
    expect(early).toBeGreaterThan(0);
    // Numbers get a digit longer.
    expect({ what, ratio: late / early }).toEqual({ what, ratio: expect.closeTo(1, 1) });
  }
});
