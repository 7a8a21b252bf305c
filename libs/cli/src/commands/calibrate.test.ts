/** `tutti calibrate` as people run it. */

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ModelSections } from '@tutti/contracts';
import { type MadeAsk, madeSet, makeAsks } from '@tutti/router/calibration';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { REPOSITORY } from '../paths.ts';
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

/** What a chat completion says that has it right. */
function knowing({ expected }: MadeAsk) {
  if (expected.kind === 'number') return { content: String(expected.value) };
  if (expected.kind === 'words') return { content: expected.all.join(' ') };
  if (expected.kind === 'line') return { content: expected.text };
  if (expected.kind === 'order') return { content: expected.names.join('\n') };
  if (expected.kind === 'json') return { content: JSON.stringify(expected.value) };
  return { content: null, tool_calls: expected.names.map((name) => ({ function: { name } })) };
}

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

  it('without anything: the own set, whose curve and figures are those in the docs', async () => {
    const svg = join(dir, 'own.svg');
    const { code, output } = await calibrate('--svg', svg);
    expect(code).toBe(0);
    expect(readFileSync(svg, 'utf8')).toBe(readFileSync(join(REPOSITORY, 'docs/images/cost-routing.svg'), 'utf8'));
    const docs = readFileSync(join(REPOSITORY, 'docs/calibration.md'), 'utf8');
    const figures = [...output.matchAll(/(?:ROC AUC|by length alone|knows of them|calibration error) +(0\.\d{3})/g)];
    expect(figures).toHaveLength(4);
    for (const [, figure] of figures) expect(docs).toContain(figure);
    const ways = [...output.matchAll(/^ {2}(always \w+|by difficulty|by lot, [a-z ]+?) +([\d.]+%) +([\d.]+%)/gm)];
    expect(ways).toHaveLength(6);
    for (const [, , cost, right] of ways) expect(docs.replaceAll('**', '')).toContain(`| ${cost} | ${right} |`);
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

  it('real models: each answers the own set through a running Tutti, and is checked', async () => {
    const asks = makeAsks(1, 4);
    const lastOf = ({ chat }: MadeAsk) => chat.messages.at(-1)!.content!;
    const asked: string[] = [];
    const server = createServer(async (request, response) => {
      let text = '';
      for await (const chunk of request) text += chunk;
      const body = JSON.parse(text) as { model: string; messages: { content: string }[] };
      asked.push(body.model);
      const ask = asks.find((one) => JSON.stringify(body).includes(JSON.stringify(lastOf(one)).slice(1, -1)))!;
      // the small one knows the simple half
      const message = body.model === 'model/big' || ask.load < 2.5 ? knowing(ask) : { content: 'No idea.' };
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ choices: [{ message }], usage: { prompt_tokens: 50, completion_tokens: 9 } }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const rows = join(dir, 'asked.jsonl');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { code, output, errors } = await calibrate('--ask', '4', '--bundle', bundle, '--url', url, '--rows', rows);
    server.close();
    expect([errors, code]).toEqual([expect.stringContaining('120 of 120 asked'), 0]);
    expect(output).toContain('120 asks that Tutti makes itself (seed 1), labelled by tiny (small), big (large)');
    expect(asked.filter((model) => model === 'model/tiny')).toHaveLength(120);
    const lines = readFileSync(rows, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const wrong = lines.filter(({ right, load }) => right.small !== load < 2.5 || !right.large);
    // two asks of a kind that end with the same words cannot be told apart by this server
    expect(wrong.length).toBeLessThan(lines.length * 0.1);
    for (const { tokens } of lines) expect(tokens).toEqual({ input: 50, output: 9 });
  });

  it.each([
    ['asking nobody', [() => '--ask', () => '2'], 2, /--ask needs --bundle/],
    [
      'asking about files',
      [() => 'x.jsonl', () => '--ask', () => '2', () => '--bundle', () => bundle],
      2,
      /goes with no file/,
    ],
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
