/** `tutti calibrate` as people run it. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ModelSections } from '@tutti/contracts';
import { madeSet } from '@tutti/router/calibration';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { startFakeGateway } from '../test-support/fake-gateway.ts';
import { runTutti } from '../test-support/tutti.ts';

let dir: string;
let bundle: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'tutti-calibrate-'));
  bundle = dir;
  const model = (tier: string, price: number) => ({
    tier,
    price: { input: price, output: price },
    providers: [{ provider: 'p' }],
  });
  const models = { providers: { p: {} }, models: { tiny: model('small', 1), big: model('large', 10) } };
  writeFileSync(join(dir, 'tutti.yaml'), 'name: mine\n');
  mkdirSync(join(dir, 'agents'));
  writeFileSync(join(dir, 'agents/a.yaml'), 'instructions: Help.\nmodel: auto\n');
  writeFileSync(join(dir, 'models.yaml'), JSON.stringify(models));
});
afterAll(() => rmSync(dir, { recursive: true }));

const file = (name: string, lines: unknown[]) => {
  const path = join(dir, name);
  writeFileSync(path, lines.map((line) => `${typeof line === 'string' ? line : JSON.stringify(line)}\n`).join(''));
  return path;
};
const calibrate = (...args: string[]) => runTutti(['calibrate', ...args]);
const routingIn = (output: string) => ModelSections.parse(parse(output.slice(output.indexOf('routing:')))).routing;

/** Calls of a tiny model that needed a big one where there was much to put together. */
const journal = (run: string, count: number) =>
  Array.from({ length: count }, (_, at) => {
    const hard = at % 3 === 0;
    const attempt = (model: string, ok: boolean) => ({
      model,
      provider: 'p',
      ok,
      durationMs: 1,
      ...(ok ? {} : { error: 'invalid_answer: x' }),
    });
    const completion = {
      message: { role: 'assistant', content: 'x' },
      finishReason: 'stop',
      usage: { inputTokens: 100, outputTokens: 10 },
      model: hard ? 'big' : 'tiny',
      provider: 'p',
      route: { asked: 'auto', reason: 'auto', features: { givens: hard ? 2 + (at % 5) / 5 : (at % 7) / 5 } },
      attempts: hard ? [attempt('tiny', false), attempt('big', true)] : [attempt('tiny', true)],
    };
    return {
      run,
      n: at + 1,
      at: 0,
      type: 'step.completed',
      callId: `call_${run}_${at}`,
      result: { kind: 'complete', purpose: 'act', completion },
    };
  });

describe('tutti calibrate', () => {
  it('labelled asks: figures, a picture, and lines that a bundle takes', async () => {
    const asks = file(
      'asks.jsonl',
      madeSet(3, 10).map(({ expected: _, load: __, ...row }) => row),
    );
    const svg = join(dir, 'curve.svg');
    const { code, output, errors } = await calibrate(asks, '--budget', '0.6', '--svg', svg);
    expect(errors).toBe('');
    expect(code).toBe(0);
    expect(output).toMatch(/300 labelled asks from .*asks\.jsonl/);
    expect(output).toMatch(/ROC AUC +0\.\d{3}/);
    expect(output).toMatch(/wanted: 60\.0% of what the best model alone costs/);
    const routing = routingIn(output)!;
    expect(routing.medium).toBeLessThanOrEqual(routing.large!);
    expect(Object.keys(routing.weights!)).toContain('givens');
    expect(readFileSync(svg, 'utf8')).toContain('</svg>');
    expect((await calibrate(asks, '--budget', '0.6')).output).toBe(output);
  });

  it('journals: what auto chose by and what came of it; the rows can be written, corrected, and read again', async () => {
    const journals = file('runs.jsonl', [
      ...journal('run_1', 90),
      { run: 'run_1', n: 91, at: 0, type: 'run.cancelling', by: 'x', reason: '' },
    ]);
    const rows = join(dir, 'rows.jsonl');
    const judged = file('judged.jsonl', [{ call: 'call_run_1_1', right: false }]);
    const first = await calibrate(journals, '--journal', '--bundle', bundle, '--rows', rows, '--judged', judged);
    expect(first.errors).toBe('');
    expect(first.output).toMatch(/90 calls of 1 journal that `auto` chose a model for/);
    expect(first.output).toMatch(/ROC AUC +(1\.000|0\.9\d+)/);
    const lines = readFileSync(rows, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines).toHaveLength(90);
    expect(lines.slice(0, 3).map(({ right }) => right)).toEqual([
      { small: false, large: true },
      { small: false },
      { small: true },
    ]);
    const again = await calibrate(rows, '--bundle', bundle);
    expect(routingIn(again.output)).toEqual(routingIn(first.output));
  });

  it('the newest runs of a Tutti', async () => {
    const gateway = await startFakeGateway();
    const text = (run: string) =>
      journal(run, 60)
        .map((line) => JSON.stringify(line))
        .join('\n');
    gateway.answers['GET /v1/runs'] = { body: { data: [{ id: 'run_1' }, { id: 'run_2' }], has_more: false } };
    for (const run of ['run_1', 'run_2']) gateway.answers[`GET /v1/runs/${run}/journal`] = { body: text(run) };
    const { code, output, errors } = await calibrate('--runs', '5', '--bundle', bundle, '--url', gateway.url);
    await gateway.close();
    expect([errors, code]).toEqual(['', 0]);
    expect(output).toContain('120 calls of 2 journals');
    expect(gateway.told.map(({ path }) => path)).toContain('/v1/runs/run_2/journal?format=jsonl&children=true');
  });

  it.each([
    [
      'a broken line',
      [() => file('bad.jsonl', ['{', { right: {} }])],
      1,
      /bad\.jsonl:1: is no JSON[\s\S]*bad\.jsonl:2: needs either/,
    ],
    ['too little', [() => file('few.jsonl', madeSet(1, 1).slice(0, 20))], 1, /20 rows.*at least 60 are needed/],
    ['no such file', [() => join(dir, 'none.jsonl')], 1, /cannot read .*none\.jsonl/],
    ['journals without a bundle', [() => file('j.jsonl', []), () => '--journal'], 2, /--bundle says what tier/],
    ['judgements of nothing', [() => '--judged', () => 'x'], 2, /--judged is about journals/],
    [
      'a quality and a budget',
      [() => '--quality', () => '0.9', () => '--budget', () => '0.5'],
      2,
      /cannot be used with/,
    ],
    ['a share above 1', [() => '--quality', () => '97'], 2, /must be a share above 0/],
  ] as [string, (() => string)[], number, RegExp][])('%s', async (_, args, expected, message) => {
    const { code, errors } = await calibrate(...args.map((arg) => arg()));
    expect(errors).toMatch(message);
    expect(code).toBe(expected);
  });
});
