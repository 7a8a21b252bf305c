/** The built-in rules about labels and histories, what a bundle's schema may add, and that only what is looked at is asked. */
import {
  Bundle,
  type CallHistory,
  type History,
  type Label,
  NOTHING_DONE,
  TuttiError,
  USER_LABEL,
} from '@tutti/contracts';
import { describe, expect, it } from 'vitest';
import { createPolicyEngine, policyEngineOf } from './engine.ts';
import type { PolicyRequest, ToolAttributes } from './types.ts';

const label = (integrity: Label['integrity'], ...confidentiality: string[]): Label => ({ integrity, confidentiality });
interface More {
  attrs?: Partial<ToolAttributes>;
  approved?: boolean;
  label?: Label | undefined;
  history?: CallHistory;
  summands?: Record<string, number>;
  attributes?: Record<string, string | number>;
}
const call = ({ attrs, approved = false, attributes, ...context }: More): PolicyRequest => ({
  principal: { type: 'Agent', id: 'clerk', attrs: { tenant: 'acme' } },
  action: 'tool.call',
  resource: { type: 'Tool', id: 'mail', attrs: { effect: 'keyed', tags: [], source: 's', ...attrs }, attributes },
  context: { tenant: 'acme', approved, label: USER_LABEL, ...context },
});
const history = (run: Partial<History>, session: Partial<History> = run): CallHistory => ({
  run: { ...NOTHING_DONE, ...run },
  session: { ...NOTHING_DONE, ...session },
});

describe('the built-in rules about labels', () => {
  const engine = createPolicyEngine({
    'all.cedar': '@id("everything") permit (principal, action == Action::"tool.call", resource);',
  });
  const decide = (more: More) => engine.authorize(call(more));

  it('let no permit of a bundle make untrusted content the cause of what cannot be undone', () => {
    const attrs = { effect: 'irreversible' as const };
    expect(decide({ attrs })).toMatchObject({ decision: 'allow' });
    expect(decide({ attrs, label: label('tool:trusted') })).toMatchObject({ decision: 'allow' });
    expect(decide({ attrs, label: label('untrusted') })).toMatchObject({
      decision: 'approval',
      policy: 'builtin.untrusted-needs-approval',
    });
    expect(decide({ attrs, label: label('untrusted'), approved: true })).toMatchObject({ decision: 'allow' });
    // A bundle may say so of a tool.
    expect(decide({ attrs: { ...attrs, needs: 'untrusted' }, label: label('untrusted') }).decision).toBe('allow');
    expect(decide({ attrs: { needs: 'user' }, label: label('tool:trusted') }).decision).toBe('approval');
  });

  it('let no confidential data out that untrusted content may have asked for', () => {
    const both = label('untrusted', 'internal');
    expect(decide({ label: both })).toMatchObject({
      decision: 'approval',
      policy: 'builtin.confidential-needs-approval',
    });
    // Any two of the three are fine: no private data, nothing untrusted, no way out.
    for (const fine of [label('untrusted'), label('tool:trusted', 'internal')])
      expect(decide({ label: fine }).decision).toBe('allow');
    expect(decide({ label: both, attrs: { clearance: 'all' } }).decision).toBe('allow');
    for (const clearance of [['internal'], ['secret']])
      expect(decide({ label: both, attrs: { clearance } }).decision).toBe('allow');
    // What only reads is a way out for what is more than internal alone.
    expect(decide({ label: both, attrs: { effect: 'pure' } }).decision).toBe('allow');
    expect(decide({ label: both, attrs: { effect: 'pure', clearance: [] } }).decision).toBe('approval');
  });

  it('keep secrets, and what has a name of its own, from whoever is not cleared, taken in or not', () => {
    for (const name of ['secret', 'hr']) {
      const own = label('system', name);
      expect(decide({ label: own, attrs: { clearance: ['internal'] } })).toMatchObject({
        decision: 'approval',
        policy: 'builtin.secret-needs-approval',
      });
      expect(decide({ label: own, attrs: { clearance: [name] } }).decision).toBe('allow');
      expect(decide({ label: own, attrs: { clearance: 'all' } }).decision).toBe('allow');
    }
    expect(decide({ label: label('user', 'secret', 'hr'), attrs: { clearance: ['secret'] } }).decision).toBe(
      'approval',
    );
  });

  it('take a question that says nothing of what led to it for an untrusted one', () => {
    const attrs = { effect: 'irreversible' as const };
    expect(decide({ attrs, label: undefined })).toMatchObject({ policy: 'builtin.untrusted-needs-approval' });
  });
});

describe('policies about what was done', () => {
  const engine = createPolicyEngine(
    {
      'limits.cedar': `
        @id("three-mails") forbid (principal, action == Action::"tool.call", resource == Tool::"mail")
        when { context.session.sameTool >= 3 };
        @id("no-mail-after-payroll") forbid (principal, action == Action::"tool.call", resource)
        when { context.run.collections.contains("payroll") || context.run.tools.contains("readPayroll") };
        @id("budget") @approval("required") forbid (principal, action == Action::"tool.call", resource)
        when { context.run.sumsWithCall.spent > 100 && !context.approved };`,
    },
    { sums: ['spent'] },
  );
  const decide = (more: More) => engine.authorize(call(more));

  it('count calls of a conversation, and know what a run read and used', () => {
    expect(decide({ history: history({}, { tools: { mail: 2 }, calls: 2 }) }).decision).toBe('allow');
    expect(decide({ history: history({}, { tools: { mail: 3 }, calls: 3 }) })).toMatchObject({
      decision: 'deny',
      policy: 'three-mails',
    });
    expect(decide({ history: history({ collections: ['payroll'] }) }).policy).toBe('no-mail-after-payroll');
    expect(decide({ history: history({ tools: { readPayroll: 1 } }) }).policy).toBe('no-mail-after-payroll');
  });
  it('add up, with the call that is asked for and rounded up', () => {
    expect(decide({ history: history({ sums: { spent: 60 } }), summands: { spent: 40 } }).decision).toBe('allow');
    expect(decide({ history: history({ sums: { spent: 60 } }), summands: { spent: 40.01 } })).toMatchObject({
      decision: 'approval',
      policy: 'budget',
    });
    expect(decide({ summands: { spent: 101 } }).decision).toBe('approval');
  });
  it('are refused where they name a sum that nothing adds up', () => {
    const text = 'permit (principal, action == Action::"tool.call", resource) when { context.run.sums.lost > 1 };';
    expect(() => createPolicyEngine({ 'x.cedar': text }, { sums: ['spent'] })).toThrow(/lost/);
  });
});

describe('a bundle’s own schema', () => {
  const made = (more: object) =>
    policyEngineOf(
      Bundle.parse({
        v: 1,
        name: 'b',
        agents: { clerk: { name: 'clerk', instructions: '' } },
        tools: { s: { type: 'builtin', tools: { mail: { attributes: { owner: { type: 'Team', id: 'sales' } } } } } },
        collections: {},
        ...more,
      }),
    );
  const policySchema = 'entity Team; type Cents = Long; entity Tool { owner?: Team, cost?: Cents };';
  const policies = {
    'own.cedar': `
      @id("sales-only") forbid (principal, action == Action::"tool.call", resource)
      when { resource has owner && resource.owner != Team::"sales" };
      @id("dear") forbid (principal, action == Action::"tool.call", resource) when { resource has cost && resource.cost > 5 };`,
  };
  const mistake = (more: object): string => {
    try {
      made(more);
    } catch (error) {
      expect((error as TuttiError).code).toBe('bundle_invalid');
      return (error as Error).message;
    }
    throw new Error('it was accepted');
  };

  it('adds entity types and attributes that policies can ask for', () => {
    const engine = made({ policySchema, policies });
    const ask = (attributes: never) => engine.authorize(call({ attributes })).policy;
    expect(ask({ owner: { type: 'Team', id: 'legal' } } as never)).toBe('sales-only');
    expect(ask({ owner: { type: 'Team', id: 'sales' }, cost: 6 } as never)).toBe('dear');
    expect(engine.authorize(call({})).decision).toBe('allow');
  });
  it('changes nothing that is built in, and adds nothing that could fail', () => {
    const wrong: [string, RegExp][] = [
      ['entity Tool { effect?: String };', /has an attribute "effect" already/],
      ['entity Tool { owner: String };', /must be optional/],
      ['entity Tool { owner?: Agent };', /failed to resolve type: Agent/],
      ['entity Agent; entity Tool { owner?: Agent };', /is a Agent/],
      ['entity Team { lead: String };', /must be a name alone/],
      ['entity Run { secret?: Bool };', /Agent, Tool, Collection, not to Run/],
      ['entity Team; action "fly" appliesTo { principal: [Team], resource: [Team] };', /actions cannot be added/],
      ['type Request = { tenant: Long };', /built in/],
      ['entity Tool {', /policies\/schema.cedarschema/],
    ];
    for (const [schema, says] of wrong) expect(mistake({ policySchema: schema })).toMatch(says);
  });
  it('is what the values in manifests have to fit', () => {
    expect(mistake({})).toMatch(/mail has an attribute "owner" that/);
    const tools = (attributes: object) => ({ s: { type: 'builtin', tools: { mail: { attributes } } } });
    expect(mistake({ policySchema, tools: tools({ owner: 'sales' }) })).toMatch(/"owner" is not what/);
    expect(mistake({ policySchema, tools: tools({ owner: { type: 'Agent', id: 'x' } }) })).toMatch(/"owner"/);
  });
});

describe('an engine', () => {
  it('asks once what differs in nothing that a policy looks at', () => {
    const engine = createPolicyEngine();
    const first = engine.authorize(call({ history: history({ calls: 1 }) }));
    expect(engine.authorize(call({ history: history({ calls: 2, tools: { mail: 2 } }) }))).toBe(first);
    const named = createPolicyEngine({
      'a.cedar': '@id("named") forbid (principal, action == Action::"tool.call", resource == Tool::"mail");',
    });
    const of = (id: string) => named.authorize({ ...call({}), resource: { ...call({}).resource, id } as never });
    expect([of('mail').policy, of('other').decision]).toEqual(['named', 'allow']);
  });
  it('tells apart whom a policy compares', () => {
    const engine = createPolicyEngine({
      'own.cedar': `@id("own") forbid (principal is User, action == Action::"approval.decide", resource)
        when { resource.startedBy == "ann" && principal == User::"ann" };`,
    });
    const decide = (id: string) =>
      engine.authorize({
        principal: { type: 'User', id, attrs: { tenant: 'acme', roles: [] } },
        action: 'approval.decide',
        resource: { type: 'Approval', id: 'apr_1', attrs: { tenant: 'acme', startedBy: 'ann' } },
        context: { tenant: 'acme' },
      }).decision;
    expect([decide('ann'), decide('bob')]).toEqual(['deny', 'allow']);
  });
  it('says how many have to approve: the most that any policy asks for', () => {
    const engine = createPolicyEngine({
      'q.cedar': [1, 3]
        .map(
          (
            n,
          ) => `@id("q${n}") @approval("required") @quorum("${n}") forbid (principal, action == Action::"tool.call", resource)
            when { !context.approved };`,
        )
        .join('\n'),
    });
    expect(engine.authorize(call({}))).toMatchObject({ decision: 'approval', approval: { quorum: 3 } });
    for (const wrong of ['0', '21', 'two'])
      expect(() =>
        createPolicyEngine({
          'q.cedar': `@approval("required") @quorum("${wrong}") forbid (principal, action, resource) when { true };`,
        }),
      ).toThrow(TuttiError);
  });
  it('shows the text of the policies that it names', () => {
    const engine = createPolicyEngine();
    expect(engine.policy('builtin.secret-needs-approval')).toMatchObject({ file: 'builtin.cedar', effect: 'forbid' });
    expect(engine.policy('nothing')).toBeUndefined();
  });
});
