/** What a run has read and done: its label, and what its calls are sent with. The log gives both back (Spec checks it after every input). */
import {
  type History,
  type Label,
  NOTHING_DONE,
  SYSTEM_LABEL,
  type ToolDefinition,
  USER_LABEL,
} from '@tutti/contracts';
import { describe, expect, test } from 'vitest';
import { requestOf } from './requests.ts';
import { approvalRequired, done, NOTHING_RECALLED, tool } from './test-kit/parts.ts';
import { Spec } from './test-kit/spec.ts';

const UNTRUSTED: Label = { integrity: 'untrusted', confidentiality: [] };
const SECRET: Label = { integrity: 'tool:trusted', confidentiality: ['secret'] };
const TOOLS: ToolDefinition[] = [
  { ...tool('look'), label: { integrity: 'tool:trusted', confidentiality: ['internal'] } },
  tool('fetch'),
  { ...tool('pay', 'irreversible'), sums: { spent: '$arguments.amount' } },
];

function begun(agent = {}, start = {}) {
  const spec = new Spec({ a: { knowledge: ['files'], ...agent } }, { tools: TOOLS });
  const run = spec.start('a', start);
  return { spec, run };
}
/** What a call is sent with. */
function sent(spec: Spec, run: string, name: string) {
  const active = spec.active(run);
  const agent = spec.bundle.agents[active.start.agent]!;
  const request = requestOf(spec.state, active, spec.call(run, name), agent, spec.bundle);
  if (request.verb !== 'execute') throw new Error('not a call');
  return request.body;
}
const label = (spec: Spec, run: string) => spec.active(run).label;
const history = (more: Partial<History>): History => ({ ...NOTHING_DONE, ...more });

describe('the label of a run', () => {
  test('begins with the user’s word, or with what the agent says of those that it listens to', () => {
    const { spec, run } = begun();
    expect(label(spec, run)).toEqual(USER_LABEL);
    const mail = begun({ labels: { integrity: 'untrusted', confidentiality: 'hr' } });
    expect(label(mail.spec, mail.run)).toEqual({ integrity: 'untrusted', confidentiality: ['hr'] });
    expect(mail.spec.entries(mail.run, 'run.started')[0]).toMatchObject({ label: label(mail.spec, mail.run) });
  });

  test('joins what is recalled, found, offered and answered', () => {
    const { spec, run } = begun();
    const turn = { run: 'run_x', session: 's', agent: 'a', at: 1, input: 'i', output: 'o', actions: [] };
    const steps = Object.fromEntries(spec.open(run).map(({ step, callId }) => [step.kind, callId]));
    const hr = { integrity: 'user' as const, confidentiality: ['hr'] };
    spec.result(run, steps.recall!, { ...NOTHING_RECALLED, turns: [{ ...turn, label: hr }] });
    expect(label(spec, run)).toEqual(hr);
    const passage = { id: 'p', document: 'd', title: 't', text: 'x', collection: 'files', label: SECRET };
    for (const { callId, step } of spec.open(run))
      if (step.kind === 'search') spec.result(run, callId, { passages: [passage] });
    expect(label(spec, run)).toEqual({ integrity: 'tool:trusted', confidentiality: ['secret', 'hr'] });
    spec.result(run, steps.describe!, { hash: 'h', tools: TOOLS, problems: [], label: UNTRUSTED });
    expect(label(spec, run)).toEqual({ integrity: 'untrusted', confidentiality: ['secret', 'hr'] });
    expect(spec.active(run).did.collections).toEqual(['files']);
  });

  test('counts what says nothing of itself as anybody’s, and what was stored before labels as internal too', () => {
    const { spec, run } = begun();
    const turn = { run: 'run_x', session: 's', agent: 'a', at: 1, input: 'i', output: 'o', actions: [] };
    spec.result(run, spec.open(run)[0]!.callId, { ...NOTHING_RECALLED, turns: [turn] });
    expect(label(spec, run)).toEqual({ integrity: 'untrusted', confidentiality: ['internal'] });
    const other = begun({ knowledge: [] });
    other.spec.gather(other.run).model(other.run, null, ['fetch', {}]);
    other.spec.does(other.run, 'fetch');
    expect(label(other.spec, other.run)).toEqual(UNTRUSTED);
  });

  test('is no worse for what a policy denies, and is for what a tool fails with', () => {
    const { spec, run } = begun();
    spec.gather(run).model(run, null, ['look', {}], ['fetch', {}]);
    spec.does(run, 'fetch', { status: 'denied', reason: 'no', policy: 'p' });
    expect(label(spec, run)).toEqual(USER_LABEL);
    spec.fail(run, 'internal', false, 'execute');
    expect(label(spec, run)).toEqual({ integrity: 'tool:trusted', confidentiality: ['internal'] });
    spec.model(run, null, ['fetch', {}]);
    spec.fail(run, 'internal', false, 'execute');
    expect(label(spec, run)).toEqual({ integrity: 'untrusted', confidentiality: ['internal'] });
  });

  test('is the child’s from its beginning, and the parent’s from the child’s end', () => {
    const { spec, run } = begun({ agents: ['helper'] });
    spec.gather(run).model(run, null, ['look', {}]);
    spec.does(run, 'look', { ...done(), label: SECRET });
    spec.model(run, null, ['delegate', { agent: 'helper', task: 't' }]);
    spec.mail();
    const [child] = spec.children(run) as [string];
    expect(label(spec, child)).toEqual(SECRET);
    spec.gather(child).model(child, null, ['fetch', {}]);
    expect(sent(spec, child, 'fetch')).toMatchObject({ label: SECRET, history: { run: { tools: { look: 1 } } } });
    spec.does(child, 'fetch');
    expect(label(spec, run)).toEqual(SECRET);
    spec.model(child, 'done');
    spec.mail();
    expect(label(spec, run)).toEqual({ integrity: 'untrusted', confidentiality: ['secret'] });
    expect(spec.active(run).did.tools).toEqual({ look: 1, fetch: 1 });
  });

  test('is what the runs that it interrupted had read', () => {
    const { spec, run } = begun({ knowledge: [], whenBusy: 'interrupt' });
    spec.gather(run).model(run, null, ['fetch', {}]);
    spec.does(run, 'fetch');
    const next = spec.start('a', { session: spec.active(run).session });
    expect(label(spec, next)).toEqual(UNTRUSTED);
    spec.gather(next).model(next, null, ['look', {}]);
    expect(sent(spec, next, 'look').history).toEqual({
      run: NOTHING_DONE,
      session: history({ calls: 1, tools: { fetch: 1 } }),
    });
  });
});

describe('a call', () => {
  test('is sent with what led to it, however late, and not with what came back meanwhile', () => {
    const { spec, run } = begun({ knowledge: [] });
    spec.gather(run).model(run, null, ['fetch', {}], ['look', {}]);
    const first = sent(spec, run, 'look');
    expect(first).toMatchObject({ label: USER_LABEL, history: { run: { calls: 1, tools: { fetch: 1 } } } });
    spec.does(run, 'fetch');
    expect(sent(spec, run, 'look')).toEqual(first);
    spec.takeOver('log');
    expect(sent(spec, run, 'look')).toEqual(first);
    spec.takeOver('checkpoint');
    expect(sent(spec, run, 'look')).toEqual(first);
    expect(label(spec, run)).toEqual(UNTRUSTED);
  });

  test('knows how many of its kind went before it, those of its own turn too, and what they come to', () => {
    const { spec, run } = begun({ knowledge: [] });
    spec.gather(run).model(run, null, ['pay', { amount: 40 }], ['pay', { amount: '2.5' }], ['pay', { amount: -40 }]);
    const [one, two, three] = spec.open(run);
    const before = (open: typeof one) => {
      const request = requestOf(spec.state, spec.active(run), open!, spec.bundle.agents.a!, spec.bundle);
      return request.verb === 'execute' ? request.body.history?.run : undefined;
    };
    expect(before(one)).toBeUndefined();
    expect(before(two)).toMatchObject({ calls: 1, effects: 1, tools: { pay: 1 }, sums: { spent: 40 } });
    expect(before(three)).toMatchObject({ calls: 2, effects: 2, sums: { spent: 42.5 } });
    expect(spec.active(run).did.sums).toEqual({ spent: 42.5 });
  });

  test('that was not made is not counted: denied, refused by a human, or with arguments that do not fit', () => {
    const { spec, run } = begun({ knowledge: [] });
    const pay: [string, Record<string, unknown>] = ['pay', { amount: 5 }];
    spec.gather(run).model(run, null, pay);
    spec.does(run, 'pay', { status: 'denied', reason: 'no', policy: 'p' });
    expect(spec.active(run).did).toMatchObject({ calls: 0, effects: 0, tools: {}, sums: { spent: 0 } });
    spec.model(run, null, pay);
    spec.does(run, 'pay', { ...done('{}', { isError: true }), dispatched: false, label: SYSTEM_LABEL });
    expect(spec.active(run).did.calls).toBe(0);
    spec.model(run, null, pay);
    spec.does(run, 'pay', approvalRequired());
    expect(spec.active(run).did.calls).toBe(1);
    const { approval } = spec.entries(run, 'approval.requested')[0]!;
    spec.tell(run, { type: 'approve', approval: approval.id, decision: 'deny', by: 'kim' });
    expect(spec.active(run).did.calls).toBe(0);
    expect(label(spec, run)).toEqual(USER_LABEL);
  });

  test('that failed stays counted: it may have happened', () => {
    const { spec, run } = begun({ knowledge: [] });
    spec.gather(run).model(run, null, ['pay', { amount: 5 }]);
    spec.fail(run, 'internal', false, 'execute');
    expect(spec.active(run).did).toMatchObject({ calls: 1, sums: { spent: 5 } });
  });

  test('knows what the conversation did before, also beside it', () => {
    const { spec, run } = begun({ knowledge: [] });
    const turn = {
      run: 'run_x',
      session: 's',
      agent: 'a',
      at: 1,
      input: 'i',
      output: 'o',
      actions: [],
      label: USER_LABEL,
    };
    const one = history({ calls: 1, effects: 1, tools: { pay: 1 } });
    const turns = [
      { ...turn, did: one, didBefore: history({ calls: 4, effects: 0, tools: { look: 4 } }) },
      // Went beside the first, and so knows nothing of it.
      { ...turn, did: one, didBefore: history({ calls: 4, effects: 0, tools: { look: 4 } }) },
    ];
    spec.result(run, spec.open(run).find(({ step }) => step.kind === 'recall')!.callId, { ...NOTHING_RECALLED, turns });
    spec.gather(run).model(run, null, ['pay', { amount: 1 }]);
    expect(sent(spec, run, 'pay').history).toEqual({
      run: NOTHING_DONE,
      session: history({ calls: 6, effects: 2, tools: { look: 4, pay: 2 } }),
    });
    spec.does(run, 'pay');
    spec.model(run, 'done');
    const step = spec.open(run)[0]!;
    const request = requestOf(spec.state, spec.active(run), step, spec.bundle.agents.a!, spec.bundle);
    if (request.verb !== 'remember') throw new Error('nothing is remembered');
    expect(request.body.turn).toMatchObject({ did: { calls: 1 }, didBefore: { calls: 6 }, label: UNTRUSTED });
  });
});
