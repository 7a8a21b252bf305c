/** Forks of every kind of run, from every version of it, in its own partition and in another one. */
import { type AgentManifest, contentHash, type RunEntry } from '@tutti/contracts';
import { describe, expect, test } from 'vitest';
import { requestOf, toolsOf } from './requests.ts';
import { again, finish, fork, type Ledger, orphans, versionsOf } from './test-kit/forks.ts';
import { approvalRequired, brief, completion, NOTHING_RECALLED, tool } from './test-kit/parts.ts';
import { Spec } from './test-kit/spec.ts';

const AGENTS: Record<string, Partial<AgentManifest>> = {
  all: { tools: ['*', 'ask_user', 'sleep'], agents: ['helper'], knowledge: ['notes'] },
  plans: { strategy: 'plan', agents: ['helper'] },
};
const turn = (at: number, input = 'Tell me of mountains') => ({
  run: 'r',
  session: 's',
  agent: 'all',
  at,
  input,
  output: 'High.',
  actions: [],
});
type Story = (spec: Spec, run: string) => Generator<void>;

/** Everything open is answered, one thing after the other, as far as it goes by itself. */
function* ends(spec: Spec, run: string, ledger: Ledger): Generator<void> {
  finish(spec, run, ledger);
  yield;
}

/** What each kind of run goes through; it stops wherever a fork may be made while it is under way. */
const STORIES: Record<string, { agent: string; more?: object; story: (ledger: Ledger) => Story }> = {
  'a run that recalls, searches, and makes all kinds of calls in one turn': {
    agent: 'all',
    story: (ledger) =>
      function* (spec, run) {
        yield;
        const [recall, search, describe] = spec.open(run);
        spec.result(run, recall!.callId, { ...NOTHING_RECALLED, turns: [turn(1)] });
        yield;
        spec.result(run, search!.callId, { passages: [] });
        yield;
        spec.gather(run);
        expect(describe!.step.kind).toBe('describe');
        yield;
        spec.model(
          run,
          null,
          ['look', { at: 1 }],
          ['act', { what: 'first' }],
          ['ask_user', { question: 'Which?' }],
          ['sleep', { seconds: 5 }],
          ['delegate', { agent: 'helper', task: 'go and see' }],
          ['delegate', { agent: 'nobody', task: 'x' }],
          ['act', { what: 'second' }],
        );
        yield;
        spec.does(run, 'look');
        yield;
        const acts = spec.open(run).filter(({ step }) => step.kind === 'execute');
        spec.result(run, acts[0]!.callId, approvalRequired());
        yield;
        spec.result(run, acts[1]!.callId, approvalRequired());
        yield;
        const [first, second] = spec.active(run).approvals;
        spec.tell(run, { type: 'approve', approval: first!.id, decision: 'approve', by: 'ann' });
        yield;
        spec.tell(run, { type: 'approve', approval: second!.id, decision: 'deny', by: 'ann' });
        yield;
        yield* ends(spec, run, ledger);
      },
  },
  'a plan whose task fails, which is made anew': {
    agent: 'plans',
    story: (ledger) =>
      function* (spec, run) {
        spec.gather(run);
        yield;
        spec.plan(run, [{ id: 'a' }, { id: 'b' }, { id: 'c', dependsOn: ['a', 'b'] }]);
        yield;
        const [a, b] = spec.children(run);
        spec.childEnds(run, a!);
        yield;
        spec.childEnds(run, b!, { status: 'failed', error: { code: 'internal', message: 'no', retryable: false } });
        yield;
        spec.plan(run, [{ id: 'a' }]);
        yield;
        yield* ends(spec, run, ledger);
      },
  },
  'a plan that has to ask first': {
    agent: 'plans',
    story: (ledger) =>
      function* (spec, run) {
        spec.gather(run);
        spec.plan(run, [], 'Where to?');
        yield;
        const [question] = Object.keys(spec.active(run).questions);
        spec.tell(run, { type: 'input', question, text: 'Rome', by: 'ann' });
        yield;
        spec.plan(run, [{ id: 'a' }]);
        yield;
        yield* ends(spec, run, ledger);
      },
  },
  'a plan that may not ask': {
    agent: 'plans',
    more: { onQuestion: 'end' },
    story: (ledger) =>
      function* (spec, run) {
        spec.gather(run);
        spec.plan(run, [], 'Where to?');
        yield;
        yield* ends(spec, run, ledger);
      },
  },
  'a run that hands over beside another call': {
    agent: 'all',
    story: (ledger) =>
      function* (spec, run) {
        spec.gather(run).gather(run);
        spec.model(run, null, ['hand_over', { agent: 'helper', reason: 'better' }], ['look', {}]);
        yield;
        spec.childEnds(run, spec.children(run)[0]!);
        yield;
        yield* ends(spec, run, ledger);
      },
  },
  'a run that a model fails': {
    agent: 'all',
    story: () =>
      function* (spec, run) {
        spec.gather(run).gather(run);
        spec.fail(run, 'internal', false, 'complete');
        yield;
      },
  },
  'a plan that a model fails': {
    agent: 'plans',
    story: () =>
      function* (spec, run) {
        spec.gather(run);
        spec.fail(run, 'timeout', true, 'complete');
        yield;
        spec.fail(run, 'internal', false, 'complete');
        yield;
      },
  },
  'a run that is cancelled with everything open': {
    agent: 'all',
    story: () =>
      function* (spec, run) {
        spec.gather(run).gather(run);
        spec.model(run, null, ['act', {}], ['ask_user', { question: 'Which?' }], ['look', {}]);
        spec.does(run, 'act', approvalRequired());
        yield;
        spec.tell(run, { type: 'cancel', by: 'ann', reason: 'enough' });
        yield;
      },
  },
  'one short answer': {
    agent: 'helper',
    more: { model: 'small', instructions: 'Be short.' },
    story: (ledger) => (spec, run) => ends(spec, run, ledger),
  },
};

const journalOf = (spec: Spec, run: string): RunEntry[] =>
  structuredClone(spec.log.filter((entry) => entry.run === run));
const shape = (entries: RunEntry[]) =>
  entries.map((entry) => [entry.n, entry.at, brief(entry), 'callId' in entry ? entry.callId : '']);

/** What the original's owner wrote together with entry `version`, and behind it. A failure that ended it has to be made good instead. */
function rest(spec: Spec, run: string, version: number): string[] {
  const batch = spec.batches.find(({ entries }) => entries.some((entry) => entry.run === run && entry.n === version))!;
  const behind = batch.entries.filter((entry) => entry.run === run && entry.n > version);
  // The tools came with the prefix.
  const wanted = behind.map(brief).filter((step) => step !== 'ask describe');
  if (!behind.some((entry) => entry.type === 'run.failed')) return version === 1 ? behind.map(brief) : wanted;
  return [
    behind[0]!.type === 'step.failed' ? '' : brief(spec.log.findLast((entry) => entry.type === 'step.requested')!),
  ];
}

/** What a fork did by itself, as soon as it was one. */
function followsAtOnce(spec: Spec, run: string): string[] {
  const journal = spec.log.filter((entry) => entry.run === run);
  const at = journal.findIndex((entry) => entry.type === 'run.forked');
  return journal.slice(Math.max(1, at + 1)).map(brief);
}

function judge(spec: Spec, run: string, prefix: RunEntry[]): void {
  const journal = journalOf(spec, run);
  expect(shape(journal.slice(0, prefix.length))).toEqual(shape(prefix));
  if (prefix.length > 1) expect(journal[prefix.length]).toMatchObject({ type: 'run.forked', version: prefix.length });
  expect(spec.end(run).status).toBe('completed');
  expect(orphans(journal)).toEqual([]);
  expect(again(spec, journal)).toEqual({ verdict: 'same' });
}

describe.each(Object.entries(STORIES))('%s', (_name, { agent, more = {}, story }) => {
  test('is forked while it is under way, in its own partition', () => {
    const ledger: Ledger = new Map();
    const spec = new Spec(AGENTS);
    const run = spec.start(agent, more);
    let forks = 0;
    for (const _ of story(ledger)(spec, run)) {
      const journal = journalOf(spec, run);
      const version = versionsOf(journal).at(-1)!;
      const made = fork(spec, journal, version, {}, ++forks);
      finish(spec, made, ledger);
      judge(spec, made, journal.slice(0, version));
    }
    expect(again(spec, journalOf(spec, run))).toEqual({ verdict: 'same' });
    expect(forks).toBeGreaterThan(0);
  });

  test('is forked from every version, in a partition that knows nothing of it', () => {
    const ledger: Ledger = new Map();
    const spec = new Spec(AGENTS);
    const run = spec.start(agent, more);
    for (const _ of story(ledger)(spec, run));
    const journal = journalOf(spec, run);
    for (const version of versionsOf(journal)) {
      const other = new Spec(AGENTS);
      const made = fork(other, journal, version);
      expect(followsAtOnce(other, made)).toEqual(expect.arrayContaining(rest(spec, run, version)));
      const sent = other.last.toSend.map(({ callId }) => callId).sort();
      const open = other.status(made) === 'completed' ? [] : other.open(made);
      expect(sent).toEqual(expect.arrayContaining(open.map(({ callId }) => callId)));
      const done = new Map(ledger);
      finish(other, made, done);
      judge(other, made, journal.slice(0, version));
      // Whatever the original did is not done again, and what the fork did itself was granted in the fork.
      const own = [...done].filter(([callId]) => !ledger.has(callId)).map(([callId]) => callId);
      const granted = journalOf(other, made).flatMap((entry) =>
        entry.type === 'approval.requested' && entry.n > version ? [entry.approval.callId] : [],
      );
      expect(granted).toEqual(expect.arrayContaining(own));
    }
  });

  test('may change nothing in the world in a fork that blocks', () => {
    const spec = new Spec(AGENTS);
    const run = spec.start(agent, more);
    for (const _ of story(new Map())(spec, run));
    const journal = journalOf(spec, run);
    for (const version of versionsOf(journal)) {
      const other = new Spec(AGENTS);
      const ledger: Ledger = new Map();
      const made = fork(other, journal, version, { effects: 'block' });
      finish(other, made, ledger);
      expect(ledger.size).toBe(0);
      judge(other, made, journal.slice(0, version));
    }
  });

  test('is forked, and the fork is forked from every version', () => {
    const ledger: Ledger = new Map();
    const spec = new Spec(AGENTS);
    const run = spec.start(agent, more);
    for (const _ of story(ledger)(spec, run));
    const journal = journalOf(spec, run);
    const versions = versionsOf(journal);
    const other = new Spec(AGENTS);
    const first = fork(other, journal, versions[Math.floor(versions.length / 2)]!);
    finish(other, first, ledger);
    const own = journalOf(other, first);
    for (const version of versionsOf(own)) {
      const third = new Spec(AGENTS);
      const made = fork(third, own, version, {}, 1);
      finish(third, made, new Map(ledger));
      judge(third, made, own.slice(0, version));
    }
  });
});

describe('a fork', () => {
  /** A run that waits for a human's yes to `act`. */
  function waiting(more: object = {}) {
    const spec = new Spec(AGENTS);
    const run = spec.start('all', more);
    const [recall] = spec.open(run);
    spec.result(run, recall!.callId, { ...NOTHING_RECALLED, turns: [turn(1)] });
    spec.gather(run).gather(run);
    spec.model(run, null, ['act', { what: 'first' }]);
    spec.does(run, 'act', approvalRequired());
    return { spec, run, journal: journalOf(spec, run) };
  }

  test('of a run that waits leaves the run and its approval where they are, and asks for a yes of its own', () => {
    const { spec, run, journal } = waiting();
    const made = fork(spec, journal, journal.length);
    const [theirs] = spec.active(run).approvals;
    expect(spec.call(made, 'act').callId).toBe(theirs!.callId);
    spec.does(made, 'act', approvalRequired());
    const [own] = spec.active(made).approvals;
    expect(own).toMatchObject({ status: 'pending', run: made, waitingRun: made, callId: theirs!.callId });
    expect(own!.id).not.toBe(theirs!.id);
    expect([...spec.state.approvals].sort()).toEqual(
      [
        [theirs!.id, run],
        [own!.id, made],
      ].sort(),
    );
    spec.tell(made, { type: 'approve', approval: own!.id, decision: 'approve', by: 'ann' });
    expect(spec.active(run).approvals[0]!.status).toBe('pending');
    expect(spec.call(made, 'act').grant).toMatchObject({ id: own!.id });
  });

  test('of a parked run leaves it parked', () => {
    const { spec, run, journal } = waiting();
    spec.park(run);
    const made = fork(spec, journal, journal.length);
    finish(spec, made);
    expect(spec.status(run)).toBe('parked');
    const [approval] = spec.state.parked.get(run)!.approvals;
    spec.tell(run, { type: 'approve', approval, decision: 'approve', by: 'ann' });
    expect(spec.kinds(run)).toEqual(['act']);
  });

  test('that is made twice is made once, with or without what it began with', () => {
    const { spec, journal } = waiting();
    const made = fork(spec, journal, 5);
    const before = spec.log.length;
    fork(spec, journal, 5);
    expect(spec.log.length).toBe(before);
    expect(spec.status(made)).toBe('running');
  });

  test('that was cancelled before its start came does not begin', () => {
    const { spec, journal } = waiting();
    const elsewhere = new Spec(AGENTS);
    const made = fork(elsewhere, journal, 5);
    spec.inbound({ v: 1, type: 'cancel', tenant: 'default', session: 'x', run: made, at: 1, by: 'ann', reason: 'no' });
    fork(spec, journal, 5);
    expect(spec.status(made)).toBe('cancelled');
  });

  test('with another input, other instructions and another model tells its model so from there on', () => {
    const { spec, journal } = waiting();
    const other = new Spec(AGENTS);
    const made = fork(other, journal, journal.length, { input: 'otherwise', instructions: 'Be brief.', model: 'big' });
    other.does(made, 'act', { status: 'denied', reason: 'no', policy: 'p' });
    const run = other.active(made);
    const [open] = other.open(made);
    const agent = { ...spec.bundle.agents.all!, instructions: 'Be brief.', model: 'big' };
    const { body } = requestOf(other.state, run, open!, agent, spec.bundle) as {
      body: { model: string; chat: { tools: { name: string }[]; messages: { role: string; content: string }[] } };
    };
    expect(body.chat.tools.map(({ name }) => name)).toEqual(expect.arrayContaining(['look', 'act']));
    expect(body.model).toBe('big');
    expect(body.chat.messages[0]!.content).toContain('Be brief.');
    expect(body.chat.messages.filter(({ role }) => role === 'user').map(({ content }) => content)).toContain(
      'otherwise',
    );
  });

  test.each(['act', 'plan', 'answer'] as const)('asks a model that the other run was asking (%s) itself', (purpose) => {
    const agents = { ...AGENTS, once: { strategy: 'direct' as const } };
    const spec = new Spec(agents);
    const run = spec.start({ act: 'all', plan: 'plans', answer: 'once' }[purpose]);
    spec.gather(run).gather(run);
    const [theirs] = spec.open(run);
    const other = new Spec(agents);
    const made = fork(other, journalOf(spec, run), spec.active(run).version, { input: 'otherwise' });
    const own = other.open(made);
    expect(own).toMatchObject([{ step: { kind: 'complete', purpose } }]);
    // Under the id of the other run it would be given that one's answer.
    expect(own[0]!.callId).not.toBe(theirs!.callId);
    other.takeOver();
    expect(other.open(made)).toEqual(own);
  });

  test('under another bundle has its limits and its tools', () => {
    const { journal } = waiting();
    const other = new Spec({ all: { ...AGENTS.all, limits: { modelCallsMax: 3 }, knowledge: [] } });
    // Its search is open, and it has nothing to search any more.
    const searching = journal.findIndex((entry) => brief(entry) === 'ask search') + 1;
    const made = fork(other, journal, searching, { bundle: contentHash(other.bundle) });
    const waits = fork(other, journal, journal.length, {}, 1, [tool('other')]);
    expect(toolsOf(other.state, other.active(waits), undefined).map(({ name }) => name)).toEqual(['other']);
    const without = fork(other, journal, journal.length, {}, 2, null);
    expect(toolsOf(other.state, other.active(without), undefined)).toEqual([]);
    expect(other.active(made).limits.modelCallsMax).toBe(3);
    expect(other.kinds(made)).not.toContain('search');
    finish(other, made);
    expect(other.end(made).status).toBe('completed');
  });

  test('from the first version begins anew, under the limits that hold now', () => {
    const { journal } = waiting();
    const other = new Spec({ all: { ...AGENTS.all, strategy: 'direct', limits: { modelCallsMax: 1 } } });
    const made = fork(other, journal, 1, { bundle: contentHash(other.bundle) });
    expect(other.storyOf(made)).toEqual([
      'run.accepted',
      'run.started direct',
      'ask recall',
      'ask search',
      'ask describe',
    ]);
    expect(other.active(made).limits.modelCallsMax).toBe(1);
  });

  test('under a bundle without its agent says so', () => {
    const { journal } = waiting();
    const other = new Spec();
    const made = fork(other, journal, journal.length, { bundle: contentHash(other.bundle) });
    expect(other.end(made)).toMatchObject({
      status: 'failed',
      error: { message: expect.stringContaining('no agent "all"') },
    });
  });

  test('knows of the conversation what had been said when the other run began', () => {
    const { spec, journal } = waiting();
    const [accepted] = journal;
    const made = fork(spec, journal, 2);
    const recall = spec.open(made).find(({ step }) => step.kind === 'recall')!;
    const turns = [turn(accepted!.at - 1, 'before'), turn(accepted!.at, 'itself'), turn(accepted!.at + 9, 'after')];
    spec.result(made, recall.callId, { ...NOTHING_RECALLED, turns });
    expect(spec.active(made).recall!.turns.map(({ input }) => input)).toEqual(['before']);
  });

  test('hands on to its children that their effects are a fork’s, and where they recall from', () => {
    const spec = new Spec(AGENTS);
    const run = spec.start('plans');
    spec.gather(run);
    spec.plan(run, [{ id: 'a' }]);
    const journal = journalOf(spec, run);
    const made = fork(spec, journal, journal.length, { effects: 'block' });
    const [, child] = spec.entries(made, 'child.started');
    const { memorySession } = journal[0]!.type === 'run.accepted' ? journal[0]!.start : { memorySession: '' };
    expect(child!.start).toMatchObject({ effects: 'block', memorySession, recallBefore: journal[0]!.at });
    const below = child!.child;
    spec.mail();
    spec.gather(below);
    spec.model(below, null, ['act', {}]);
    const asked = requestOf(
      spec.state,
      spec.active(below),
      spec.call(below, 'act'),
      spec.bundle.agents.plans!,
      spec.bundle,
    );
    expect(asked.body).toMatchObject({ effects: 'block' });
  });

  test('of a child run is a run of its own, which goes on with the child’s task', () => {
    const spec = new Spec(AGENTS);
    const run = spec.start('plans');
    spec.gather(run);
    spec.plan(run, [{ id: 'a' }]).entries;
    const child = spec.entries(run, 'child.started')[0]!.child;
    spec.mail();
    spec.gather(child);
    const journal = journalOf(spec, child);
    const letters = spec.state.outbox.size;
    const made = fork(spec, journal, journal.length);
    finish(spec, made);
    expect(spec.end(made).start).toMatchObject({ parent: null, depth: 0, root: made });
    expect(spec.state.outbox.size).toBe(letters);
    expect(spec.entries(made, 'run.accepted')[0]!.start.brief).toMatchObject({ task: 'a' });
    expect(spec.storyOf(made).at(-1)).toBe('run.completed');
    expect(spec.storyOf(made)).toContain('ask remember');
  });

  test.each([
    ['with too few entries', (journal: RunEntry[]) => journal.slice(0, 3), /has 3 entries up to version 5/],
    [
      'with a gap',
      (journal: RunEntry[]) => [...journal.slice(0, 2), ...journal.slice(3, 6)],
      /entry 3 of the original cannot be read/,
    ],
    ['that is gone', () => undefined, /cannot be read/],
    ['that is no journal', () => ({ v: 1, entries: 'x' }), /cannot be read/],
  ])('of a journal %s fails, and says why', (_what, damage, message) => {
    const { spec, journal } = waiting();
    const other = new Spec(AGENTS);
    const made = fork(other, journal, 5);
    const [start] = other.log as [Extract<RunEntry, { type: 'run.accepted' }>];
    const entries = damage(journal);
    const prefix = Array.isArray(entries) ? { v: 1, entries, toolset: null } : entries;
    const { session, tenant } = start;
    const said = spec.input({ v: 1, type: 'start', tenant, session, run: made, at: 1, start: start.start });
    spec.take({ ...said, prefix } as never);
    expect(spec.end(made)).toMatchObject({
      status: 'failed',
      error: { code: 'invalid_request', message: expect.stringMatching(message) },
    });
  });

  test.each(['approval', 'question'])('from between the %s that a cancel gave up and its end is refused', (what) => {
    const spec = new Spec(AGENTS);
    const run = spec.start('all');
    spec.gather(run).gather(run);
    spec.model(run, null, what === 'approval' ? ['act', {}] : ['ask_user', { question: 'Which?' }]);
    if (what === 'approval') spec.does(run, 'act', approvalRequired());
    const version = spec.active(run).version + 1;
    spec.tell(run, { type: 'cancel', by: 'ann', reason: 'enough' });
    const made = fork(spec, journalOf(spec, run), version);
    expect(spec.end(made).error?.message).toContain(`at version ${version} the original was ending`);
  });

  test('made when what its prefix waited for had long run out comes out the same when it is judged', () => {
    const spec = new Spec(AGENTS);
    const run = spec.start('all', { limits: { questionTtlMs: 500 } });
    spec.gather(run).gather(run);
    spec.model(run, null, ['ask_user', { question: 'Which?' }]);
    const journal = journalOf(spec, run);
    spec.pass(10_000);
    const made = fork(spec, journal, journal.length);
    spec.pass(100);
    finish(spec, made);
    expect(spec.entries(made, 'question.answered')).toMatchObject([{ outcome: 'answered' }]);
    expect(again(spec, journalOf(spec, made))).toEqual({ verdict: 'same' });
  });

  test('does not spend again what its prefix has spent', () => {
    const spec = new Spec({ tight: { limits: { modelCallsMax: 2 } } });
    const run = spec.start('tight');
    spec.gather(run);
    spec.result(run, spec.open(run)[0]!.callId, completion(null, [{ name: 'look', arguments: {} }]));
    const journal = journalOf(spec, run);
    const made = fork(spec, journal, journal.length);
    spec.does(made, 'look');
    spec.model(made, null, ['look', {}]);
    spec.does(made, 'look');
    expect(spec.end(made).error?.message).toContain('modelCallsMax (2)');
  });
});
