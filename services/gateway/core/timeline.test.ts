import { derivedRunId, derivedSessionId, newRunId, newSessionId, type RunEntry } from '@tutti/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Journal, NO_USAGE } from '../testing/entries.ts';
import { Timeline } from './timeline.ts';

/** A root with two children, the second one with a child of its own. */
function family() {
  const session = newSessionId();
  const root = new Journal(newRunId(session), session);
  const child = (parent: Journal, task: string) => {
    const own = derivedSessionId(parent.run, task);
    const link = { run: parent.run, session: parent.session, callId: parent.callId(task) };
    const journal = new Journal(derivedRunId(own, parent.run, task), own, {
      start: { root: root.run, parent: link, depth: 1 },
    });
    parent.add({
      type: 'child.started',
      callId: link.callId,
      child: journal.run,
      session: own,
      task,
      start: journal.start,
    });
    return journal;
  };
  const ended = (parent: Journal, journal: Journal, task: string) =>
    parent.add({
      type: 'child.ended',
      task,
      outcome: {
        child: journal.run,
        callId: parent.callId(task),
        status: 'completed',
        output: 'done',
        actions: [],
        passages: [],
        usage: NO_USAGE,
      },
    });
  const first = child(root, 'a');
  const second = child(root, 'b');
  const third = child(second, 'c');
  third.completed('c');
  ended(second, third, 'c');
  second.completed('b');
  first.requested('1');
  first.answered('1', 'a');
  first.completed('a');
  ended(root, first, 'a');
  ended(root, second, 'b');
  root.requested('1');
  root.answered('1', 'all');
  root.completed('all');
  return { root, journals: [root, first, second, third], first, second };
}

/** What a follower does: takes what comes, and reads what is wanted from the journals. */
function follow(timeline: Timeline, arriving: RunEntry[], journals: Journal[]) {
  const out = arriving.flatMap((entry) => timeline.accept(entry));
  for (let round = 0; !timeline.ended && round < 50; round++) {
    const wanted = timeline.wanted();
    for (const run of wanted.length ? wanted : timeline.open()) {
      const journal = journals.find((one) => one.run === run)!;
      for (const entry of journal.entries.slice(timeline.version(run))) out.push(...timeline.accept(entry));
    }
  }
  return out;
}

describe('Timeline', () => {
  it('gives every entry once, in order, children inside their parents, whatever is lost, repeated or late', () => {
    fc.assert(
      fc.property(fc.infiniteStream(fc.nat()), fc.nat(20), (random, lost) => {
        const { root, journals } = family();
        const all = journals.flatMap(({ entries }) => entries);
        const draw = () => random.next().value as number;
        const kept = all.filter(() => draw() % 20 >= lost);
        const arriving = [...kept, ...kept.slice(0, 5)].sort(() => (draw() % 2) - 0.5);
        const timeline = new Timeline(root.run);
        const out = follow(timeline, arriving, journals).map(({ entry }) => entry);
        for (const { run, entries } of journals) expect(out.filter((entry) => entry.run === run)).toEqual(entries);
        expect(out.at(-1)).toBe(root.entries.at(-1));
        for (const entry of out) {
          if (entry.type !== 'child.started' && entry.type !== 'child.ended') continue;
          const child = entry.type === 'child.started' ? entry.child : entry.outcome.child;
          const before = out.slice(0, out.indexOf(entry)).filter(({ run }) => run === child).length;
          const whole = journals.find(({ run }) => run === child)!.entries.length;
          expect(before).toBe(entry.type === 'child.started' ? 0 : whole);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('mutes what a resuming reader has seen, and shows children that were open at that point from their start', () => {
    const { root, journals, first, second } = family();
    const firstEnded = root.entries.find((entry) => entry.type === 'child.ended')!.n;
    const out = follow(new Timeline(root.run, { resumeAfter: firstEnded }), [], journals);
    const shown = out.filter(({ muted }) => !muted).map(({ entry }) => entry);
    expect(shown.filter(({ run }) => run === root.run)).toEqual(root.entries.slice(firstEnded));
    expect(shown.some(({ run }) => run === first.run)).toBe(false);
    expect(shown.filter(({ run }) => run === second.run)).toEqual(second.entries);
  });

  it('leaves the runs below out on request, and then waits for none of them', () => {
    const { root } = family();
    const timeline = new Timeline(root.run, { children: false });
    const out = root.entries.flatMap((entry) => timeline.accept(entry));
    expect(out.map(({ entry }) => entry)).toEqual(root.entries);
    expect(timeline.ended).toBe(true);
  });

  it('goes on without a child that is given up', () => {
    const { root, first } = family();
    const timeline = new Timeline(root.run);
    for (const entry of root.entries) timeline.accept(entry);
    expect(timeline.wanted()).toEqual([first.run]);
    timeline.abandon(first.run);
    expect(timeline.ended).toBe(false);
    for (const run of timeline.wanted()) timeline.abandon(run);
    expect(timeline.ended).toBe(true);
  });
});
