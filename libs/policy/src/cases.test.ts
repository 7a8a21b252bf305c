/** Policy test cases: what the bundle says is filled in, and what is not as expected is told. */
import { Bundle } from '@tutti/contracts';
import { describe, expect, it } from 'vitest';
import { PolicyCases, runPolicyCase } from './cases.ts';
import { policyEngineOf } from './engine.ts';

const bundle = Bundle.parse({
  v: 1,
  name: 'b',
  agents: { clerk: { name: 'clerk', instructions: '', labels: { confidentiality: 'internal' } } },
  tools: {
    desk: {
      type: 'openapi',
      document: { paths: { '/a': { get: { operationId: 'look' }, post: { operationId: 'order' } } } },
      prefix: 'desk_',
      labels: { clearance: 'internal' },
      tools: {
        pay: { effect: 'keyed', tags: ['spends'], sums: { spent: '$arguments.amount' }, labels: { needs: 'user' } },
      },
    },
  },
  collections: { mails: { name: 'mails' } },
  policies: {
    'p.cedar': `
      @id("spends") @reason("It costs money.") @approval("required") @expires("1h") @approvers("kim, lee") @quorum("2")
      forbid (principal, action == Action::"tool.call", resource)
      when { resource.tags.contains("spends") && context.run.sumsWithCall.spent > 10 && !context.approved };
      @id("own-runs") forbid (principal, action == Action::"journal.read", resource)
      when { resource.startedBy == "ann" && !principal.roles.contains("lead") };`,
  },
});
const engine = policyEngineOf(bundle);
const run = (test: object) => {
  const [parsed] = PolicyCases.parse({ cases: [{ name: 'x', ...test }] }).cases;
  return runPolicyCase(bundle, engine, parsed!).problems;
};
const pay = { agent: 'clerk', action: 'tool.call', tool: 'desk_pay' };

describe('a case', () => {
  it('passes where the answer is the expected one', () => {
    const good = [
      { ...pay, arguments: { amount: 10 }, expect: 'allow' },
      {
        ...pay,
        arguments: { amount: 11 },
        expect: 'approval',
        policy: 'spends',
        reason: 'costs',
        expires: '60m',
        approvers: ['lee', 'kim'],
        quorum: 2,
      },
      { ...pay, arguments: { amount: 1 }, done: { sums: { spent: 10 } }, expect: 'approval' },
      { ...pay, label: { integrity: 'tool:trusted' }, expect: 'approval', policy: 'builtin.untrusted-needs-approval' },
      { ...pay, approved: true, arguments: { amount: 99 }, expect: 'allow' },
      { agent: 'clerk', action: 'tool.call', tool: 'desk_look', expect: 'allow' },
      { agent: 'clerk', action: 'tool.call', tool: 'desk_order', expect: 'approval' },
      { agent: 'clerk', action: 'knowledge.read', collection: 'mails', expect: 'allow' },
      { agent: 'clerk', action: 'model.use', model: 'm', provider: 'p', expect: 'allow' },
      { user: 'ann', action: 'run.start', start: 'clerk', expect: 'allow' },
      { user: 'ann', action: 'run.start', start: 'clerk', principalTenant: 'other', expect: 'deny' },
      { user: 'bob', action: 'journal.read', run: 'run_1', startedBy: 'ann', expect: 'deny', policy: 'own-runs' },
      { user: 'bob', roles: ['lead'], action: 'journal.read', run: 'run_1', startedBy: 'ann', expect: 'allow' },
    ];
    for (const test of good) expect(run(test)).toEqual([]);
  });
  it('fails with what was got instead', () => {
    expect(run({ ...pay, expect: 'deny' })).toEqual([
      expect.stringMatching(/^expected deny, got allow \(policy builtin/),
    ]);
    expect(run({ ...pay, arguments: { amount: 11 }, expect: 'approval', policy: 'other', quorum: 3 })).toEqual([
      'policy: expected ["other"], got ["spends"]',
      'quorum: expected 3, got 2',
    ]);
    expect(run({ ...pay, arguments: { amount: 11 }, expect: 'approval', expires: 'soon' })).toEqual([
      'expires: "soon" is not a duration such as 72h',
    ]);
  });
  it('that asks about nothing known says what is missing', () => {
    expect(run({ ...pay, agent: 'nobody', expect: 'allow' })).toEqual(['the bundle has no agent "nobody"']);
    expect(run({ ...pay, tool: 'unknown', expect: 'allow' })[0]).toMatch(/give "effect" and "source"/);
    expect(run({ agent: 'clerk', action: 'model.use', expect: 'allow' })[0]).toMatch(/give "model"/);
    const both = { name: 'x', agent: 'a', user: 'u', action: 'run.start', expect: 'allow' };
    expect(PolicyCases.safeParse({ cases: [both] }).success).toBe(false);
    expect(PolicyCases.safeParse({ cases: [{ ...both, agent: undefined, expects: 'allow' }] }).success).toBe(false);
  });
});
