/** The commands as processes, against a gateway that tells a scripted story. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { approval, completed, type FakeGateway, startFakeGateway, usage } from '../test-support/fake-gateway.ts';
import { runTutti, startTutti } from '../test-support/tutti.ts';

let gateway: FakeGateway;
beforeEach(async () => {
  gateway = await startFakeGateway();
});
afterEach(() => gateway.close());

const tutti = (args: string[], input?: string) =>
  runTutti(args, { env: { TUTTI_URL: gateway.url }, ...(input === undefined ? {} : { input }) });
const posts = () => gateway.told.filter(({ method }) => method === 'POST');
const token = (text: string, attempt = 1): [string, Record<string, unknown>] => [
  'token',
  { callId: 'call_1', attempt, text },
];

describe('wrong usage', () => {
  it.each([
    [['chat'], "missing required argument 'agent'"],
    [['fly'], "unknown command 'fly'"],
    [['runs', '--status', 'odd'], 'Allowed choices are'],
    [['status', '--url', 'nonsense'], 'is no URL of a Tutti'],
    [['ingest', 'Bad Name', 'x.md'], 'is no name of a collection'],
    [['fork', 'run_1'], "required option '--at <version>' not specified"],
    [['fork', 'run_1', '--at', 'start'], 'must be a whole number from 1'],
    [['fork', 'run_1', '--at', '3', '--effects', 'do'], 'Allowed choices are approve, block'],
    [['state', 'run_1', '--version', '-1'], 'must be a whole number from 1'],
    [['preflight', '.', '--scope', 'all'], 'Allowed choices are waiting, recent'],
    [['schedules', 'set', 'nightly'], "missing required argument 'agent'"],
    [['policy', 'explain'], "missing required argument 'call'"],
  ])('%j', async (args, expected) => {
    const { code, errors } = await tutti(args);
    expect(errors).toContain(expected);
    expect(code).toBe(2);
  });

  it('says what to do when no Tutti answers', async () => {
    const { code, errors } = await runTutti(['runs'], { env: { TUTTI_URL: 'http://127.0.0.1:1' } });
    expect(errors).toContain('Start one with "npm start"');
    expect(code).toBe(3);
  });

  it('an error of the API is shown as it is', async () => {
    const { code, errors } = await tutti(['runs', 'run_x']);
    expect(errors).toContain('there is nothing at /v1/runs/run_x');
    expect(code).toBe(1);
  });
});

describe('chat from a pipe', () => {
  it('keeps the session, and shows steps, answer and sources', async () => {
    gateway.story = {
      events: [
        ['step.requested', { callId: 'c', kind: 'recall' }],
        ['plan.made', { plan: { question: null, tasks: [{ id: 'find', goal: 'Find a flight', dependsOn: [] }] } }],
        ['child.started', { child: 'run_2', task: 'find' }],
        [
          'step.completed',
          {
            run: 'run_2',
            callId: 'd',
            kind: 'execute',
            tool: 'searchFlights',
            arguments: { to: 'TYO' },
            durationMs: 12,
            isError: false,
          },
        ],
        ['child.ended', { child: 'run_2', task: 'find', status: 'completed' }],
        token('Here '),
        token('it is.'),
        completed('Here it is.'),
      ],
    };
    const { code, output } = await tutti(['chat', 'travel'], 'Find one\nAnd another\n');
    expect(code).toBe(0);
    expect(output).toMatchInlineSnapshot(`
      "> Find one
        gathering memory, documents and tools
        plan of 1 task
          find: Find a flight
        ▸ find
        find · ✓ searchFlights(to: TYO) 12 ms
        ✓ find

      Here it is.

        [1] Policy — Hotels
        2 model calls, 1 tool call, 42 tokens

      > And another
        gathering memory, documents and tools
        plan of 1 task
          find: Find a flight
        ▸ find
        find · ✓ searchFlights(to: TYO) 12 ms
        ✓ find

      Here it is.

        [1] Policy — Hotels
        2 model calls, 1 tool call, 42 tokens

      "
    `);
    expect(posts().map(({ body }) => body)).toEqual([
      { agent: 'travel', input: 'Find one' },
      { agent: 'travel', input: 'And another', session: 'ses_1' },
    ]);
  });

  it('an answer that begins anew is shown whole at the end, once', async () => {
    gateway.story = { events: [token('Half of'), token('All of it.', 2), completed('All of it.')] };
    const { output } = await tutti(['chat', 'travel'], 'Go\n');
    expect(output).toContain('Half of\n(that answer broke off; it starts anew)\n\nAll of it.\n');
    expect(output.match(/All of it\./g)).toHaveLength(1);
  });

  it('shows how far a tool says that it is, on one line that cannot steer the terminal', async () => {
    const text = `half\n\u001b[2Jof it`;
    gateway.story = { events: [['progress', { callId: 'c', tool: 'slow', text }], completed('Done.')] };
    const { output } = await tutti(['chat', 'travel'], 'Go\n');
    expect(output).toMatch(/… slow: half .*of it\n/);
    expect(output).not.toContain('\u001b[2J');
  });

  it('comes back after a broken stream without repeating itself', async () => {
    gateway.story = {
      breakAfter: 1,
      events: [
        ['step.requested', { callId: 'c', kind: 'recall' }],
        ['step.retried', { callId: 'c', attempt: 1, error: { message: 'odd' } }],
        completed('Done.'),
      ],
    };
    const { code, output } = await tutti(['chat', 'travel'], 'Go\n');
    expect(code).toBe(0);
    expect(output.match(/gathering/g)).toHaveLength(1);
  });

  it('what a tool says cannot control the terminal', async () => {
    gateway.story = { events: [completed('\u001b[2Jgone\u0007')] };
    const { output } = await tutti(['chat', 'travel'], 'Go\n');
    expect(output).toContain('[2Jgone\n');
    expect(output).not.toContain('\u001b');
  });

  it('an unknown agent is said to be so, with those that there are', async () => {
    const { code, errors } = await tutti(['chat', 'clerk'], 'Go\n');
    expect([code, errors]).toEqual([1, expect.stringContaining('there are: travel')]);
  });
});

describe('approvals', () => {
  beforeEach(() => {
    gateway.story = {
      events: [
        ['approval.requested', { approval: approval() }],
        ['child.waiting', { approvals: [approval()] }],
      ],
      afterApproval: [
        ['approval.decided', { approval: 'apr_1', decision: 'approved', by: 'local' }],
        completed('Booked.'),
      ],
    };
  });

  it('are asked for with the exact arguments, and answered by the next line', async () => {
    const { code, output } = await tutti(['chat', 'travel'], 'Book it\nperhaps\nyes\n');
    expect(code).toBe(0);
    expect(output).toContain(
      '? Approval needed: bookFlight (irreversible, apr_1)\n    offer  "OF-1"\n    price  912\n',
    );
    expect(output).toContain('Booked.');
    expect(posts().at(-1)).toEqual({ method: 'POST', path: '/v1/approvals/apr_1', body: { decision: 'approve' } });
  });

  it('are denied with a reason', async () => {
    await tutti(['chat', 'travel'], 'Book it\nno, too dear\n');
    expect(posts().at(-1)?.body).toEqual({ decision: 'deny', reason: 'too dear' });
  });

  it('stay open when nobody answers, and that is said', async () => {
    const { code, output } = await tutti(['chat', 'travel'], 'Book it\n');
    expect(code).toBe(4);
    expect(output).toContain('Left open. Decide with: npx tutti approve apr_1');
    expect(posts()).toHaveLength(1);
  });

  it('are given by --yes, with a word about it', async () => {
    const { code, output } = await tutti(['run', 'travel', 'Book it', '--yes']);
    expect(code).toBe(0);
    expect(output).toContain('price  912');
    expect(output).toContain('approved, because of --yes');
  });

  it('can be decided from elsewhere', async () => {
    const { code, output } = await tutti(['approve', 'apr_1', '--deny', '--reason', 'too dear']);
    expect(code).toBe(0);
    expect(output).toContain('bookFlight {"offer":"OF-1","price":912}');
    expect(posts().at(-1)?.body).toEqual({ decision: 'deny', reason: 'too dear' });
  });
});

describe('ends', () => {
  it('a failed run has exit code 1 and says why', async () => {
    gateway.story = { events: [['run.failed', { error: { message: 'no model' }, output: '', usage }]] };
    const { code, output } = await tutti(['run', 'travel', 'Go']);
    expect([code, output]).toEqual([1, expect.stringContaining('the run failed: no model')]);
  });

  it('Ctrl-C cancels the run', async () => {
    gateway.story = { events: [['step.requested', { callId: 'c', kind: 'recall' }]], endless: true };
    const running = startTutti(['run', 'travel', 'Go'], { env: { TUTTI_URL: gateway.url } });
    await running.says(/gathering/);
    running.child.kill('SIGINT');
    const { code, output } = await running.ended;
    expect([code, output]).toEqual([130, expect.stringContaining('cancelled')]);
    expect(posts().map(({ path }) => path)).toEqual(['/v1/runs', '/v1/runs/run_1/cancel']);
  });
});

describe('apply and ingest', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'tutti-apply-'));
    mkdirSync(join(dir, 'agents'));
    mkdirSync(join(dir, 'knowledge/policy'), { recursive: true });
    writeFileSync(join(dir, 'tutti.yaml'), 'name: shop\n');
    writeFileSync(join(dir, 'agents/clerk.yaml'), 'instructions: Sell.\n');
    writeFileSync(join(dir, 'knowledge/policy/same.md'), '---\ntitle: Same\n---\nAs ever.\n');
    writeFileSync(join(dir, 'knowledge/policy/new.md'), '# New\nNever seen.\n');
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  it('sends the bundle and what has changed', async () => {
    const { code, output } = await tutti(['apply', dir]);
    expect(code).toBe(0);
    expect(output).toContain('policy: 1 of 2 new or changed, 1 there that the folder does not have');
    const puts = gateway.told.filter(({ method }) => method === 'PUT').map(({ path }) => path);
    expect(puts).toEqual(['/v1/collections/policy/documents/new']);
  });

  it('--check finds mistakes without a server', async () => {
    writeFileSync(join(dir, 'agents/clerk.yaml'), 'instructions: 5\n');
    const { code, errors } = await runTutti(['apply', dir, '--check']);
    expect([code, errors]).toEqual([1, expect.stringContaining('agents/clerk.yaml: instructions: ')]);
  });

  it('ingests files, or none when one is wrong', async () => {
    const file = join(dir, 'knowledge/policy/new.md');
    const good = await tutti(['ingest', 'policy', file]);
    expect(good.output).toContain('policy/new  New');
    const bad = await tutti(['ingest', 'policy', file, join(dir, 'none.md'), 'x.pdf']);
    expect(bad.code).toBe(1);
    expect(bad.errors).toMatch(/none\.md: ENOENT[\s\S]*x\.pdf: only \.md and \.txt/);
    expect(gateway.told.filter(({ method }) => method === 'PUT')).toHaveLength(1);
  });
});

describe('policy test', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tutti-policy-'));
    mkdirSync(join(folder, 'agents'));
    mkdirSync(join(folder, 'policies/tests'), { recursive: true });
    writeFileSync(join(folder, 'tutti.yaml'), 'name: clerks\n');
    writeFileSync(join(folder, 'agents/clerk.yaml'), 'instructions: Help.\n');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const cases = (text: string) => writeFileSync(join(folder, 'policies/tests/a.yaml'), text);
  const test = () => runTutti(['policy', 'test', folder]);
  const read = '{ name: reads, agent: clerk, action: knowledge.read, collection: notes, expect: allow }';

  it('passes with exit code 0, fails with 1 and what was got instead', async () => {
    cases(`cases:\n  - ${read}\n`);
    expect(await test()).toMatchObject({ code: 0, output: expect.stringContaining('1 case, 1 passed, 0 failed') });
    cases(`cases:\n  - ${read}\n  - ${read.replace('allow', 'deny')}\n`);
    const { code, output } = await test();
    expect(output).toContain('expected deny, got allow (policy builtin.same-tenant');
    expect(output).toContain('2 cases, 1 passed, 1 failed');
    expect(code).toBe(1);
  });
  it('says where there are none, and what is wrong with a case', async () => {
    expect(await test()).toMatchObject({ code: 1, errors: expect.stringContaining('policies/tests/<name>.yaml') });
    cases(`cases:\n  - ${read.replace('expect', 'expects')}\n`);
    const { code, errors } = await test();
    expect(errors).toMatch(/policies\/tests\/a\.yaml: cases\.0.*expect/);
    expect(code).toBe(1);
  });
  it('of the travel example pass', async () => {
    const { code, output } = await runTutti(['policy', 'test', 'examples/travel']);
    expect(output).toMatch(/(\d+) cases, \1 passed, 0 failed/);
    expect(code).toBe(0);
  });
});

describe('policy explain', () => {
  const said = {
    call: 'call_1',
    run: 'run_1',
    agent: 'clerk',
    tool: 'send\u001b[2Jmail',
    arguments: { to: 'x' },
    label: { integrity: 'untrusted', confidentiality: ['internal'] },
    done: { calls: 2, effects: 1, tools: { readPage: 2 } },
    decisions: [
      {
        at: '2026-01-01T00:00:00.000Z',
        decision: 'approval',
        policy: 'builtin.x',
        by: null,
        reason: 'A human decides.',
      },
      { at: '2026-01-01T00:01:00.000Z', decision: 'denied', policy: null, by: 'kim', reason: 'no' },
    ],
    policies: [{ id: 'builtin.x', file: 'builtin.cedar', reason: null, text: 'forbid (principal, action, resource);' }],
    ledger: null,
  };
  it('shows what led to the call, who decided, and the policy', async () => {
    gateway.answers['GET /v1/calls/call_1/decisions'] = { body: said };
    const { code, output } = await tutti(['policy', 'explain', 'call_1']);
    expect(output).toContain('untrusted; internal');
    expect(output).toContain('2 calls, 1 not pure: readPage ×2');
    expect(output).toMatch(/approval {2}policy builtin\.x: A human decides\./);
    expect(output).toMatch(/denied {4}by kim: no/);
    expect(output).toContain('forbid (principal, action, resource);');
    expect(output).not.toContain('\u001b[2J');
    expect(code).toBe(0);
  });
  it('says where nothing was decided, with exit code 1', async () => {
    gateway.answers['GET /v1/calls/call_1/decisions'] = { body: { ...said, decisions: [], policies: [] } };
    const { code, output } = await tutti(['policy', 'explain', 'call_1']);
    expect(output).toContain('no policy has decided');
    expect(code).toBe(1);
  });
});
