/** Runs that are written out while they wait: what is left of them, what brings them back, and what if they are lost. */
import { scheduleIdFor } from '@tutti/contracts';
import { describe, expect, test } from 'vitest';
import { approvalRequired } from './test-kit/parts.ts';
import { Spec } from './test-kit/spec.ts';

const PARK_AFTER_MS = 30_000;
type Wait = 'approval' | 'question' | 'sleep' | 'children';

/** A run that waits, idle for as long as it takes to be written out. */
function waiting(wait: Wait, more: Record<string, unknown> = {}, agent = {}) {
  const tools = ['*', 'ask_user', 'sleep'];
  const spec = new Spec({ a: { agents: ['b'], tools, ...agent }, b: { tools } }, { parkAfterMs: PARK_AFTER_MS });
  const run = spec.start('a', more);
  spec.gather(run);
  if (wait === 'approval') spec.model(run, null, ['act', {}]) && spec.does(run, 'act', approvalRequired());
  if (wait === 'question') spec.model(run, null, ['ask_user', { question: 'Which?' }]);
  if (wait === 'sleep') spec.model(run, null, ['sleep', { seconds: 86_400 }]);
  if (wait === 'children') spec.model(run, null, ['delegate', { agent: 'b', task: 'x' }]);
  return { spec, run };
}
function parked(wait: Wait, more = {}, agent = {}) {
  const world = waiting(wait, more, agent);
  expect(world.spec.pass(PARK_AFTER_MS).toPark).toEqual([world.run]);
  world.spec.park(world.run);
  expect(world.spec.status(world.run)).toBe('parked');
  return world;
}
const approvalOf = (spec: Spec, run: string) => spec.entries(run, 'approval.requested')[0]!.approval.id;
const questionOf = (spec: Spec, run: string) => spec.entries(run, 'question.asked')[0]!.question.id;

describe('a run that waits long enough', () => {
  test.each<Wait>(['approval', 'question', 'sleep', 'children'])('for %s is written out', (wait) => {
    const { spec, run } = waiting(wait);
    expect(spec.pass(PARK_AFTER_MS - 1).toPark).toEqual([]);
    expect(spec.pass(1).toPark).toEqual([run]);
    expect(spec.park(run).partitionEntries).toMatchObject([{ type: 'run.parked', run, sequence: 1 }]);
    expect(spec.state.runs.has(run)).toBe(false);
  });

  test('leaves an index entry with all that others need to know', () => {
    const { spec, run } = parked('approval');
    const { expiresAt, id } = spec.entries(run, 'approval.requested')[0]!.approval;
    expect(spec.state.parked.get(run)).toMatchObject({
      id: run,
      status: 'waiting',
      parent: null,
      approvals: [id],
      due: [['approval', id, expiresAt]],
      sequence: 1,
    });
    expect(spec.state.approvals.get(id)).toBe(run);
    expect([...spec.state.sessions.values()]).toEqual([{ active: [run], queue: [] }]);
    const asks = parked('question');
    expect(asks.spec.state.parked.get(asks.run)).toMatchObject({ question: { text: 'Which?' } });
    const works = parked('children');
    expect(works.spec.state.parked.get(works.run)).toMatchObject({
      status: 'running',
      due: [['wall', '', expect.any(Number)]],
    });
  });

  test('is asked for again when writing it out came to nothing', () => {
    const { spec, run } = waiting('question');
    expect(spec.pass(PARK_AFTER_MS).toPark).toEqual([run]);
    let again = 0;
    for (let i = 0; i < 20; i++) again += spec.pass(PARK_AFTER_MS).toPark.length;
    expect(again).toBeGreaterThan(0);
    expect(again).toBeLessThan(5);
  });

  test('stays when it has gone on, or has something under way', () => {
    const { spec, run } = waiting('question');
    const late = spec.parked(run);
    spec.tell(run, { type: 'input', question: questionOf(spec, run), text: 'that', by: 'ann' });
    expect(spec.take(late).partitionEntries).toEqual([]);
    // In one round with what makes it go on, the parking comes last, and finds another version.
    const other = waiting('question');
    const parking = other.spec.parked(other.run);
    const answer = { type: 'input', question: questionOf(other.spec, other.run), text: 'that', by: 'ann' };
    const known = other.spec.active(other.run);
    const message = { v: 1, tenant: known.tenant, session: known.session, run: other.run, at: 1, ...answer };
    other.spec.take(other.spec.input(message as never), parking);
    expect(other.spec.status(other.run)).toBe('running');
    expect(other.spec.take(parking).partitionEntries).toEqual([]);
  });

  test('is written out twice at once, and is there once', () => {
    const { spec, run } = waiting('question');
    const [first, second] = [spec.parked(run), spec.parked(run)];
    spec.take(first, second);
    expect([...spec.state.parkedIn]).toEqual([[1, 1]]);
    // Back and written out again in one round.
    spec.take(spec.unparked(run), second);
    expect([...spec.state.parkedIn]).toEqual([[2, 1]]);
    spec.takeOver('checkpoint');
    expect(spec.state.parked.get(run)?.sequence).toBe(2);
  });
});

describe('what brings it back', () => {
  test('a decision', () => {
    const { spec, run } = parked('approval');
    spec.tell(run, { type: 'approve', approval: approvalOf(spec, run), decision: 'approve', by: 'kim' });
    expect(spec.last.partitionEntries).toMatchObject([{ type: 'run.unparked', run }]);
    expect(spec.story).toEqual(['approval.decided approved']);
    expect(spec.kinds(run)).toEqual(['act']);
    expect(spec.state.parkedIn.size).toBe(0);
  });
  test('an answer', () => {
    const { spec, run } = parked('question');
    spec.tell(run, { type: 'input', question: questionOf(spec, run), text: 'that', by: 'ann' });
    expect(spec.story).toEqual(['question.answered answered', 'ask act']);
  });
  test('a child’s word and its end', () => {
    const { spec, run } = parked('children');
    const child = spec.letters('start:')[0]!.key.replace('start:', '');
    spec.mail();
    expect(spec.status(run)).toBe('parked');
    spec.gather(child).model(child, null, ['ask_user', { question: 'Which?' }]);
    spec.mail();
    expect(spec.active(run).status).toBe('waiting');
  });
  test('what comes due: only then, and once', () => {
    for (const wait of ['approval', 'question', 'sleep'] as const) {
      const { spec, run } = parked(wait);
      spec.takeOver('checkpoint');
      const { at } = spec.state.due.all().find(({ owner }) => owner === run)!;
      expect(spec.pass(at - spec.now - 1).wanted).toEqual([]);
      spec.pass(1);
      expect(spec.story.slice(-1)).toEqual(['ask act']);
      expect(spec.last.partitionEntries).toMatchObject([{ type: 'run.unparked', run }]);
      expect(spec.pass(0).entries).toEqual([]);
    }
  });
  test('a cancel, which is told to its children too', () => {
    const { spec, run } = parked('children');
    spec.tell(run, { type: 'cancel', by: 'kim', reason: 'enough' });
    expect(spec.story).toEqual(['run.cancelling', 'run.cancelled']);
    expect(spec.letters('cancel:')).toHaveLength(1);
    expect(spec.state.due.size).toBe(0);
  });
  test('a message that interrupts its session', () => {
    const { spec, run } = parked('question');
    const { session } = spec.state.parked.get(run)!;
    const next = spec.start('a', { session, whenBusy: 'interrupt', input: 'never mind' });
    expect(spec.end(run).status).toBe('cancelled');
    expect(spec.active(next).interrupted).toMatchObject([{ run, input: 'go' }]);
  });
  test('a message that queues behind it does not', () => {
    const { spec, run } = parked('question');
    const { session } = spec.state.parked.get(run)!;
    const next = spec.start('a', { session });
    expect([spec.status(run), spec.status(next)]).toEqual(['parked', 'queued']);
    spec.takeOver('checkpoint').pass(0);
    expect(spec.status(next)).toBe('queued');
  });
  test('with the same limits, calls and clock as it had', () => {
    const { spec, run } = parked('sleep');
    spec.pass(86_400_000 - PARK_AFTER_MS);
    expect(spec.active(run).waitedMs).toBe(86_400_000);
    expect(spec.active(run).startedAt).toBe(1_000_000);
  });
});

describe('a run whose state was lost', () => {
  test.each<Wait>(['approval', 'question', 'sleep', 'children'])('ends, waiting for %s, and leaves nothing', (wait) => {
    const { spec, run } = parked(wait);
    spec.loseParked();
    spec.takeOver('checkpoint');
    spec.tell(run, { type: 'cancel', by: 'kim', reason: 'enough' });
    expect(spec.end(run)).toMatchObject({ status: 'failed', error: { code: 'internal' } });
    expect(spec.state).toMatchObject({ activeRoots: 0, approvals: new Map(), sessions: new Map(), parked: new Map() });
    expect(spec.state.due.size).toBe(0);
  });
  test('tells its parent', () => {
    const { spec, run } = waiting('children');
    const [child] = spec.children(run);
    spec
      .mail()
      .gather(child!)
      .model(child!, null, ['sleep', { seconds: 86_400 }]);
    spec.mail().park(child!);
    spec.loseParked();
    spec.pass(86_400_000);
    spec.mail();
    expect(spec.active(run).actions.at(-1)).toMatchObject({ tool: 'delegate', isError: true });
  });
  test('has its children cancelled', () => {
    const { spec, run } = parked('children');
    const child = spec.letters('start:')[0]!.key.replace('start:', '');
    spec.mail().gather(child);
    spec.loseParked();
    spec.tell(run, { type: 'cancel', by: 'kim', reason: 'enough' });
    expect(spec.end(run).status).toBe('failed');
    spec.mail();
    expect(spec.end(child).status).toBe('cancelled');
  });
  test('lets its schedule go on', () => {
    const id = scheduleIdFor('default', 'nightly');
    const { spec, run } = parked('question', { schedule: { id, dueAt: 1 } });
    spec.loseParked();
    spec.tell(run, { type: 'cancel', by: 'kim', reason: 'enough' });
    expect(spec.letters('schedule_ended:')).toHaveLength(1);
  });
  test.each([
    ['is of another version of the run', (run: object) => ({ ...run, version: 1 })],
    ['is of another run', (run: object) => ({ ...run, id: 'run_other' })],
    ['is not one', () => null],
  ])('so does one whose stored state %s', (_what, spoilt) => {
    const { spec, run } = parked('question');
    const input = spec.unparked(run) as { kind: 'unparked'; run: string; snapshot: { run: object } };
    input.snapshot.run = spoilt(input.snapshot.run) as object;
    spec.take(input);
    expect(spec.end(run)).toMatchObject({ status: 'failed', error: { code: 'internal' } });
  });
});
