/** What the engine can do, as commands: questions, journals, forks, preflight, schedules, dead letters. Against a scripted gateway. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { completed, type FakeGateway, question, startFakeGateway } from '../test-support/fake-gateway.ts';
import { runTutti } from '../test-support/tutti.ts';

let gateway: FakeGateway;
beforeEach(async () => {
  gateway = await startFakeGateway();
});
afterEach(() => gateway.close());

const tutti = (args: string[], input?: string) =>
  runTutti(args, { env: { TUTTI_URL: gateway.url }, ...(input === undefined ? {} : { input }) });
const posts = () => gateway.told.filter(({ method }) => method === 'POST');

describe('questions', () => {
  beforeEach(() => {
    gateway.story = {
      events: [
        ['question.asked', { question }],
        ['child.waiting', { approvals: [], questions: [question] }],
      ],
      afterApproval: [
        ['question.answered', { question: 'qst_1', outcome: 'answered', text: 'blue', by: 'local' }],
        completed('Painted blue.'),
      ],
    };
  });

  it('are asked once, and answered by the next line that says anything', async () => {
    const { code, output } = await tutti(['chat', 'travel'], 'Paint it\n\nblue\n');
    expect(code).toBe(0);
    expect(output.match(/\? Which colour\?/g)).toHaveLength(1);
    expect(output).toContain('Painted blue.');
    expect(posts().at(-1)).toEqual({
      method: 'POST',
      path: '/v1/runs/run_1/input',
      body: { question: 'qst_1', text: 'blue' },
    });
  });

  it('stay open when nobody answers, and that is said', async () => {
    const { code, output } = await tutti(['run', 'travel', 'Paint it']);
    expect(code).toBe(4);
    expect(output).toContain('Left open. Answer with: npx tutti input run_1');
  });

  it('that were answered elsewhere meanwhile are no failure', async () => {
    gateway.answers['POST /v1/runs/run_1/input'] = {
      status: 409,
      body: { error: { code: 'conflict', message: 'it asks nothing right now', param: null } },
    };
    gateway.story = { events: [['question.asked', { question }], completed('Painted red.')] };
    const { code, output } = await tutti(['chat', 'travel'], 'Paint it\nblue\n');
    expect([code, output]).toEqual([0, expect.stringMatching(/too late: it asks nothing[\s\S]*Painted red/)]);
  });

  it('can be answered from elsewhere', async () => {
    gateway.answers['POST /v1/runs/run_1/input'] = { body: { answered: 'qst_1' } };
    const { code, output } = await tutti(['input', 'run_1', 'the blue one', '--question', 'qst_1']);
    expect([code, output]).toEqual([0, expect.stringContaining('answered qst_1')]);
    expect(posts()[0]!.body).toEqual({ text: 'the blue one', question: 'qst_1' });
  });
});

describe('journals', () => {
  it('are shown a line an entry, with those below and what came late', async () => {
    const at = '2026-11-26T00:00:00.000Z';
    const entry = (n: number, type: string, more: object) => ({ run: 'run_1', n, at, type, ...more });
    const call = { tool: 'book', arguments: { to: 'TYO' } };
    gateway.answers['GET /v1/runs/run_1/journal'] = {
      body: {
        data: [
          entry(1, 'run.accepted', { agent: 'travel', input: 'Book\u001b[2J it' }),
          entry(2, 'step.requested', { kind: 'execute', ...call }),
          entry(3, 'child.started', { child: 'run_2', agent: 'helper', task: 'part' }),
          entry(4, 'run.cancelled', { by: 'ann', reason: 'no more' }),
        ],
        has_more: false,
        late: [{ callId: 'call_1', tool: 'book', ok: true, content: 'booked', at }],
      },
    };
    gateway.answers['GET /v1/runs/run_2/journal'] = {
      body: { data: [entry(1, 'run.completed', { output: 'part done' })], has_more: false, late: null },
    };
    const { code, output } = await tutti(['journal', 'run_1', '--children']);
    expect(code).toBe(0);
    expect(output).toMatchInlineSnapshot(`
      "   1  2026-11-26T00:00:00.000Z  run.accepted         travel: Book[2J it
         2  2026-11-26T00:00:00.000Z  step.requested       book(to: TYO)
         3  2026-11-26T00:00:00.000Z  child.started        run_2 helper: part
         4  2026-11-26T00:00:00.000Z  run.cancelled        by ann: no more
            2026-11-26T00:00:00.000Z  late                 book succeeded after it was given up: booked

      run_2
         1  2026-11-26T00:00:00.000Z  run.completed        part done
      "
    `);
  });

  it('come as they are stored with --jsonl', async () => {
    const lines = '{"n":1}\n{"n":2}\n';
    gateway.answers['GET /v1/runs/run_1/journal'] = { body: lines };
    const { code, output } = await tutti(['journal', 'run_1', '--jsonl', '--children']);
    expect([code, output]).toEqual([0, lines]);
    expect(gateway.told[0]!.path).toBe('/v1/runs/run_1/journal?format=jsonl&children=true');
  });

  it('a state is shown at its version', async () => {
    gateway.answers['GET /v1/runs/run_1/state'] = { body: { version: 7, state: { phase: 'act' } } };
    const { output } = await tutti(['state', 'run_1', '--version', '7']);
    expect(JSON.parse(output)).toEqual({ version: 7, state: { phase: 'act' } });
    expect(gateway.told[0]!.path).toBe('/v1/runs/run_1/state?version=7');
  });

  it('a run is cancelled with a reason', async () => {
    const { code, output } = await tutti(['cancel', 'run_1', '--reason', 'no more']);
    expect([code, output]).toEqual([0, 'cancelling run_1\n']);
    expect(posts()).toMatchObject([{ path: '/v1/runs/run_1/cancel', body: { reason: 'no more' } }]);
  });
});

describe('with a bundle', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'tutti-bundle-'));
    mkdirSync(join(dir, 'agents'));
    writeFileSync(join(dir, 'tutti.yaml'), 'name: shop\n');
    writeFileSync(join(dir, 'agents/clerk.yaml'), 'instructions: Sell.\n');
    writeFileSync(join(dir, 'words.md'), 'Be kind.');
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  it('a fork goes on with what is changed', async () => {
    gateway.answers['POST /v1/runs/run_1/fork'] = { status: 202, body: { id: 'run_9' } };
    const words = ['--instructions', join(dir, 'words.md'), '--model', 'big', '--effects', 'block'];
    const { code, output } = await tutti([
      'fork',
      'run_1',
      '--at',
      '12',
      '--input',
      'Again',
      ...words,
      '--bundle',
      dir,
    ]);
    expect([code, output]).toEqual([0, expect.stringContaining('forked: run_9')]);
    expect(posts()[0]!.body).toMatchObject({
      version: 12,
      input: 'Again',
      instructions: 'Be kind.',
      model: 'big',
      effects: 'block',
      bundle: { v: 1, name: 'shop' },
    });
    await tutti(['fork', 'run_1', '--at', '12', '--bundle', 'abcdef']);
    expect(posts()[1]!.body).toEqual({ version: 12, bundle: 'abcdef' });
    const wrong = await tutti(['fork', 'run_1', '--at', '12', '--instructions', join(dir, 'none.md')]);
    expect([wrong.code, wrong.errors]).toEqual([1, expect.stringContaining('none.md')]);
  });

  it('a preflight says what would be otherwise, and its exit code whether anything would', async () => {
    const same = { run: 'run_1', agent: 'clerk', status: 'completed', verdict: 'same' };
    const other = { ...same, run: 'run_2', verdict: 'diverges', step: 3, reason: 'other\ninstructions' };
    gateway.answers['POST /v1/preflight'] = { body: { data: [same, other] } };
    const diverging = await tutti(['preflight', dir, '--scope', 'recent', '--limit', '5']);
    expect(diverging.code).toBe(1);
    expect(diverging.output).toMatchInlineSnapshot(`
      "RUN    AGENT  STATUS     VERDICT   WHY
      run_1  clerk  completed  same
      run_2  clerk  completed  diverges  at step 3: other instructions
      1 same, 1 diverging
      "
    `);
    expect(posts()[0]!.body).toMatchObject({ bundle: { name: 'shop' }, scope: 'recent', limit: 5 });
    gateway.answers['POST /v1/preflight'] = { body: { data: [same] } };
    expect((await tutti(['preflight', dir, '--run', 'run_1'])).code).toBe(0);
    expect(posts()[1]!.body).toMatchObject({ runs: ['run_1'] });
    gateway.answers['POST /v1/preflight'] = { body: { data: [] } };
    expect(await tutti(['preflight', dir, '--all'])).toMatchObject({ code: 0, output: 'no waiting runs\n' });
    expect(await tutti(['preflight', dir])).toMatchObject({ code: 0, output: 'no waiting runs\n' });
    const last = { bundle: 'hash', data: [same], next: null };
    const pages = {
      '': { ...last, data: [same, other], next: 'run_2' },
      run_2: { ...last, next: 'run_1' },
      run_1: last,
    };
    gateway.answers['POST /v1/preflight'] = {
      get body() {
        return pages[(posts().at(-1)!.body as { before?: keyof typeof pages }).before ?? ''];
      },
    };
    const all = await tutti(['preflight', dir, '--all']);
    expect([all.code, all.output.match(/run_\d/g), all.output]).toEqual([
      1,
      ['run_2'],
      expect.stringContaining('3 same, 1 diverging'),
    ]);
    expect(posts().slice(-2)).toMatchObject([{ body: { bundle: 'hash' } }, { body: { bundle: 'hash' } }]);
    writeFileSync(join(dir, 'agents/clerk.yaml'), 'instructions: 5\n');
    expect((await tutti(['preflight', dir])).errors).toContain('agents/clerk.yaml');
  });
});

describe('schedules and dead letters', () => {
  const schedule = {
    name: 'nightly',
    agent: 'travel',
    input: 'Good\nmorning',
    cron: '30 6 * * *',
    timeZone: 'Europe/Berlin',
    paused: false,
    next: ['2026-11-27T05:30:00.000Z'],
    last: { at: '2026-11-26T05:30:00.000Z', run: null, reason: 'the tenant has no bundle' },
  };

  it('a schedule is set, listed and removed', async () => {
    gateway.answers['PUT /v1/schedules/nightly'] = { body: schedule };
    gateway.answers['GET /v1/schedules'] = { body: { data: [schedule] } };
    gateway.answers['DELETE /v1/schedules/nightly'] = { body: {} };
    const when = ['--cron', '30 6 * * *', '--zone', 'Europe/Berlin', '--overlap', 'parallel'];
    const set = await tutti(['schedules', 'set', 'nightly', 'travel', 'Good morning', ...when]);
    expect(set).toMatchObject({ code: 0, output: 'set: nightly\n  2026-11-27T05:30:00.000Z\n' });
    expect(gateway.told[0]!.body).toEqual({
      agent: 'travel',
      input: 'Good morning',
      cron: '30 6 * * *',
      timeZone: 'Europe/Berlin',
      overlap: 'parallel',
    });
    await tutti(['schedules', 'set', 'nightly', 'travel', 'Once', '--at', '2027-01-01T00:00:00Z']);
    expect(gateway.told[1]!.body).toEqual({ agent: 'travel', input: 'Once', at: '2027-01-01T00:00:00Z' });
    expect((await tutti(['schedules'])).output).toMatchInlineSnapshot(`
      "NAME     WHEN                      NEXT                      LAST                            AGENT   GOAL
      nightly  30 6 * * * Europe/Berlin  2026-11-27T05:30:00.000Z  none: the tenant has no bundle  travel  Good morning
      "
    `);
    expect(await tutti(['schedules', 'rm', 'nightly'])).toMatchObject({ code: 0, output: 'removed: nightly\n' });
  });

  it('what the API refuses is said as it says it', async () => {
    gateway.answers['PUT /v1/schedules/nightly'] = {
      status: 400,
      body: { error: { code: 'invalid_request', message: 'cron: "0 0 30 2 *" never comes due', param: 'cron' } },
    };
    const refused = await tutti(['schedules', 'set', 'nightly', 'travel', 'x', '--cron', '0 0 30 2 *']);
    expect([refused.code, refused.errors]).toEqual([1, 'tutti: cron: "0 0 30 2 *" never comes due\n']);
  });

  it('dead letters are listed page by page, shown, sent again and removed', async () => {
    const letter = {
      id: 'dead_7',
      service: 'planner',
      kind: 'step',
      at: '2026-11-26T00:00:00.000Z',
      run: 'run_1',
      reason: 'the tool\nis away',
      resent: null,
    };
    gateway.answers['GET /v1/dead-letters'] = { body: { data: [letter], next: 'dead_7' } };
    gateway.answers['GET /v1/dead-letters/dead_7'] = { body: { ...letter, payload: { kind: 'execute' } } };
    gateway.answers['POST /v1/dead-letters/dead_7/resend'] = {
      status: 202,
      body: { resent: { as: 'run', run: 'run_9' } },
    };
    gateway.answers['DELETE /v1/dead-letters/dead_7'] = { body: {} };
    expect((await tutti(['dead', 'ls', '--service', 'planner', '--limit', '1'])).output).toMatchInlineSnapshot(`
      "ID      AT                        SERVICE  KIND  RUN    SENT AGAIN  REASON
      dead_7  2026-11-26T00:00:00.000Z  planner  step  run_1              the tool is away
      there may be more: npx tutti dead ls --before dead_7
      "
    `);
    expect(gateway.told[0]!.path).toBe('/v1/dead-letters?limit=1&service=planner');
    expect(JSON.parse((await tutti(['dead', 'show', 'dead_7'])).output)).toMatchObject({
      payload: { kind: 'execute' },
    });
    expect((await tutti(['dead', 'resend', 'dead_7'])).output).toBe('sent again as run_9\n');
    expect((await tutti(['dead', 'rm', 'dead_7'])).output).toBe('removed: dead_7\n');
  });
});
