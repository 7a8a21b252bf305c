import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { TuttiError, USER_LABEL } from '@tutti/contracts';
import { describe, expect, it } from 'vitest';
import { createPolicyEngine } from './engine.ts';
import { POLICY_SETS_MAX } from './slots.ts';
import type { PolicyAction, PolicyPrincipal, PolicyRequest } from './types.ts';

const toolCall = (
  effect: 'pure' | 'keyed' | 'probeable' | 'irreversible',
  more: { approved?: boolean; tags?: string[]; tenant?: string; id?: string } = {},
): PolicyRequest => ({
  principal: { type: 'Agent', id: 'travel', attrs: { tenant: 'acme' } },
  action: 'tool.call',
  resource: { type: 'Tool', id: more.id ?? 'bookFlight', attrs: { effect, tags: more.tags ?? [], source: 'flights' } },
  context: { tenant: more.tenant ?? 'acme', approved: more.approved ?? false, label: USER_LABEL },
});

const SPENDING = `
@id("booking-needs-a-human") @reason("Booking spends money.") @approval("required") @expires("72h") @approvers("role:lead, kim")
forbid (principal, action == Action::"tool.call", resource)
when { resource.tags.contains("spends-money") && !context.approved };`;

function mistakeIn(policies: Record<string, string>): TuttiError {
  try {
    createPolicyEngine(policies);
  } catch (error) {
    return error as TuttiError;
  }
  throw new Error('the policies were accepted');
}

describe('built-in policies', () => {
  const engine = createPolicyEngine();
  it.each(['pure', 'keyed', 'probeable'] as const)('permits a %s tool call', (effect) => {
    expect(engine.authorize(toolCall(effect))).toMatchObject({
      decision: 'allow',
      policy: 'builtin.tool-calls-without-lasting-harm',
    });
  });
  it('wants approval for an irreversible call, and takes it', () => {
    expect(engine.authorize(toolCall('irreversible'))).toEqual({
      decision: 'approval',
      reason: 'The call cannot be undone: a human has to approve it.',
      policy: 'builtin.irreversible-needs-approval',
      approval: {},
    });
    expect(engine.authorize(toolCall('irreversible', { approved: true })).decision).toBe('allow');
  });
  it('denies another tenant, approved or not', () => {
    for (const approved of [true, false])
      expect(engine.authorize(toolCall('irreversible', { approved, tenant: 'other' }))).toMatchObject({
        decision: 'deny',
        policy: 'default-deny',
      });
    expect(engine.authorize(toolCall('pure', { tenant: 'other' })).decision).toBe('deny');
  });
  it('permits a tenant its own things and nobody else’s', () => {
    const user: PolicyPrincipal = { type: 'User', id: 'kim', attrs: { tenant: 'acme', roles: ['admin'] } };
    const ask = (action: PolicyAction, type: 'Run' | 'Session' | 'Approval' | 'Bundle', tenant: string) =>
      engine.authorize({
        principal: user,
        action,
        resource: { type, id: 'x', attrs: { tenant } },
        context: { tenant: 'acme' },
      }).decision;
    expect(ask('journal.read', 'Run', 'acme')).toBe('allow');
    expect(ask('journal.read', 'Run', 'other')).toBe('deny');
    expect(ask('approval.decide', 'Approval', 'acme')).toBe('allow');
    expect(ask('bundle.apply', 'Bundle', 'other')).toBe('deny');
    expect(ask('memory.read', 'Session', 'acme')).toBe('allow');
  });
  it('says loudly that a question does not fit the schema', () => {
    expect(() =>
      engine.authorize({ ...toolCall('pure'), action: 'journal.read', context: { tenant: 'acme' } }),
    ).toThrow(/does not fit the schema/);
    expect(() => engine.authorize({ ...toolCall('pure'), context: { tenant: 'acme' } })).toThrow(/schema/);
  });
});

describe('bundle policies', () => {
  it('turn a call into one that needs approval, with reason, expiry and approvers', () => {
    const engine = createPolicyEngine({ 'travel.cedar': SPENDING });
    expect(engine.authorize(toolCall('keyed', { tags: ['spends-money'] }))).toEqual({
      decision: 'approval',
      reason: 'Booking spends money.',
      policy: 'booking-needs-a-human',
      approval: { expiresInMs: 72 * 3_600_000, approvers: ['role:lead', 'kim'] },
    });
    expect(engine.authorize(toolCall('keyed', { tags: ['spends-money'], approved: true })).decision).toBe('allow');
    expect(engine.authorize(toolCall('keyed')).decision).toBe('allow');
  });
  it('with several forbids are as strict as each of them', () => {
    const engine = createPolicyEngine({
      'a.cedar': SPENDING,
      'b.cedar': `@id("b") @expires("1h") @approvers("kim") forbid (principal, action, resource == Tool::"bookFlight")
        when { context has approved && !context.approved };`,
    });
    expect(engine.authorize(toolCall('irreversible', { tags: ['spends-money'] }))).toEqual({
      decision: 'approval',
      reason: 'Policy "b" decided so. Booking spends money.',
      policy: 'b, booking-needs-a-human',
      approval: { expiresInMs: 3_600_000, approvers: ['kim'] },
    });
  });
  it('forbid beats permit and approval', () => {
    const engine = createPolicyEngine({
      'no.cedar': '@id("never") @reason("Never.") forbid (principal, action, resource == Tool::"bookFlight");',
    });
    for (const approved of [true, false])
      expect(engine.authorize(toolCall('irreversible', { approved }))).toMatchObject({
        decision: 'deny',
        reason: 'Never.',
        policy: 'never',
      });
  });
  it('can permit an irreversible tool without approval', () => {
    const engine = createPolicyEngine({
      'p.cedar': 'permit (principal, action == Action::"tool.call", resource == Tool::"bookFlight");',
    });
    expect(engine.authorize(toolCall('irreversible'))).toMatchObject({ decision: 'allow', policy: 'p.cedar#1' });
    expect(engine.authorize(toolCall('irreversible', { id: 'wipe' })).decision).toBe('approval');
  });
});

describe('mistakes are found on load', () => {
  const when = (condition: string, head = '') =>
    `${head} forbid (principal, action == Action::"tool.call", resource) when { ${condition} };`;
  it.each([
    ['a syntax error', 'forbid (principal, action resource);', /f\.cedar: line 1, column 27/],
    ['an unknown attribute', when('resource.price == "1"'), /attribute `price`/],
    ['an unknown entity type', when('principal == Robot::"x"'), /Robot/],
    ['an unknown action', 'forbid (principal, action == Action::"tool.cal", resource);', /tool\.cal/],
    ['a type error', when('resource.effect == 3'), /./],
    ['an attribute of a literal entity', when('Agent::"gone".tenant == "x"'), /could fail/],
    ['arithmetic', when('9223372036854775807 + 1 == 2'), /could fail.*overflow/],
    ['a template', 'forbid (principal == ?principal, action, resource);', /templates/],
    ['a duration', when('true && !context.approved', '@expires("soon")'), /@expires\("soon"\)/],
    ['an approval value', when('!context.approved', '@approval("maybe")'), /only value/],
    ['an approval that nothing asks for', when('resource.effect == "keyed"', '@approval("required")'), /never looks/],
    ['an id twice', `${when('!context.approved', '@id("a")')}\n${when('!context.approved', '@id("a")')}`, /"a"/],
    ['a built-in id', when('!context.approved', '@id("builtin.same-tenant")'), /is taken/],
  ])('%s', (_name, text, message) => {
    const error = mistakeIn({ 'f.cedar': text });
    expect(error).toBeInstanceOf(TuttiError);
    expect(error.code).toBe('bundle_invalid');
    expect(error.message).toContain('f.cedar');
    expect(error.message).toMatch(message);
  });
  it('an id that two files use', () => {
    expect(mistakeIn({ 'a.cedar': SPENDING, 'b.cedar': SPENDING }).message).toMatch(/b\.cedar.*is taken/);
  });
});

it('a question that was asked before gets the answer that a new engine gives', () => {
  const old = createPolicyEngine({ 'travel.cedar': SPENDING });
  const questions = (['pure', 'keyed', 'probeable', 'irreversible'] as const).flatMap((effect) =>
    [[], ['spends-money'], ['other']].flatMap((tags) =>
      [true, false].map((approved) => {
        const question = toolCall(effect, { tags });
        return { ...question, context: { ...question.context, approved } };
      }),
    ),
  );
  const first = questions.map((question) => old.authorize(question));
  const again = questions.map((question) => old.authorize(structuredClone(question)));
  const fresh = questions.map((question) => createPolicyEngine({ 'travel.cedar': SPENDING }).authorize(question));
  expect(again).toEqual(first);
  expect(again).toEqual(fresh);
  expect(new Set(first.map(({ decision }) => decision))).toEqual(new Set(['allow', 'approval']));
});

it('an engine goes on working after others took its slot', () => {
  const first = createPolicyEngine({ 'travel.cedar': SPENDING });
  expect(first.authorize(toolCall('keyed', { tags: ['spends-money'] })).decision).toBe('approval');
  for (let i = 0; i <= POLICY_SETS_MAX; i++)
    createPolicyEngine({ 'x.cedar': `@id("x${i}") forbid (principal, action, resource == Tool::"t${i}");` }).authorize(
      toolCall('pure'),
    );
  // A question that it was not asked before, so that it has to look.
  expect(first.authorize(toolCall('keyed', { tags: ['spends-money', 'new'] })).decision).toBe('approval');
});

const travel = new URL('../../../examples/travel/policies/', import.meta.url).pathname;
describe.skipIf(!existsSync(travel))('the travel example (runs when examples/travel/policies is there)', () => {
  it('loads, and wants a human for what spends money', () => {
    const files = readdirSync(travel).filter((name) => name.endsWith('.cedar'));
    const engine = createPolicyEngine(
      Object.fromEntries(files.map((name) => [name, readFileSync(join(travel, name), 'utf8')])),
    );
    const decision = engine.authorize(toolCall('irreversible', { tags: ['spends-money'] }));
    expect(decision).toMatchObject({ decision: 'approval', policy: 'booking-needs-a-human' });
    expect(decision.approval?.expiresInMs).toBe(72 * 3_600_000);
  });
});
