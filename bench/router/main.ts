/** `npm run bench -- router`: what Tutti adds to a model's answer as a plain LLM gateway, and how it stands a storm, beside Portkey. */
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { messageFrom, startProcess } from '../engine/processes.ts';
import { atOnce, closeClient, post, type Target } from './client.ts';
import { type Books, STORM_PROVIDERS } from './fakes.ts';
import { measureSpeed, type Speed, type Subject } from './speed.ts';
import { CALL_USD, PRICE, startPortkey, startTutti, type Tutti } from './stack.ts';
import { type StormResult, storm } from './storm.ts';

const HELP = `npm run bench -- router [options]
  --quick          short: for a first look, not for figures
  --seconds N      measured time of one figure (5)
  --calls N        calls of the storm (10000)
  --routers N      router processes (1)
  --max N          requests at once for "max req/s" (64)
  --no-peers       without Portkey
  --only WHAT      speed or storm
  --profiles DIR   a CPU profile of every process of Tutti's
`;
const { values } = parseArgs({
  options: {
    help: { type: 'boolean', short: 'h' },
    quick: { type: 'boolean', default: false },
    seconds: { type: 'string' },
    calls: { type: 'string' },
    routers: { type: 'string', default: '1' },
    max: { type: 'string', default: '64' },
    'no-peers': { type: 'boolean', default: false },
    only: { type: 'string' },
    profiles: { type: 'string' },
  },
});
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
const measureMs = Number(values.seconds ?? (values.quick ? 2 : 5)) * 1_000;
const warmUpMs = values.quick ? 1_000 : 5_000;
const calls = Number(values.calls ?? (values.quick ? 2_000 : 10_000));
const STORM_CONCURRENCY = 32;
const BURST = { calls: 1_000, paidFor: 300 };
const print = (line = '') => process.stdout.write(`${line}\n`);

const fakes = await startProcess({ name: 'fakes', file: 'bench/router/fakes.ts', env: process.env });
const { instant, storm: stormUrls } = await messageFrom<{ instant: string; storm: string[] }>(fakes, 'ready');
const books = async () => {
  const answer = messageFrom<Books>(fakes, 'books');
  fakes.child.send({ type: 'books' });
  return answer;
};
const variable = (name: string) => `\${${name}}`;
const variables = {
  INSTANT: instant,
  ...Object.fromEntries(STORM_PROVIDERS.map((name, i) => [name.toUpperCase(), stormUrls[i]!])),
};
const model = (providers: object[], outputTokensMax = 200) => ({
  price: PRICE,
  contextTokens: 16_000,
  outputTokensMax,
  providers,
});

/** Everything on: budgets are counted, windows checked, secrets looked for. */
function bundle(usd: number): object {
  return {
    v: 1,
    name: 'bench',
    agents: {},
    tools: {},
    collections: {},
    ...(process.env.NOBUDGET ? {} : { budgets: { all: { scope: 'tenant', window: 'total', usd } } }),
    providers: Object.fromEntries(
      Object.keys(variables).map((name) => [name.toLowerCase(), { baseUrl: variable(name) }]),
    ),
    models: {
      instant: model([{ provider: 'instant' }]),
      stormy: model(STORM_PROVIDERS.map((provider) => ({ provider }))),
    },
    routes: { storm: { models: ['stormy'], offlineFallback: false } },
  };
}

const tutti = await startTutti({ routers: Number(values.routers), variables, profiles: values.profiles });
const portkey = values['no-peers'] ? undefined : await startPortkey();
/** Undefined: it can. Some versions of it answer a stream with 500 on some versions of Node. */
let noStreams: string | undefined;
try {
  if (portkey) noStreams = await whyNoStreams(portkey.url);
  if (noStreams)
    print(`Portkey does not stream here (${noStreams}): it is measured and put into the storm without streams`);
  print(
    `load average at the start: ${loadavg()
      .map((load) => load.toFixed(1))
      .join(' ')}`,
  );
  const speed = values.only === 'storm' ? undefined : await speeds(tutti);
  const storms = values.only === 'speed' ? undefined : await stormsOf(tutti);
  const result = {
    ...(speed ? { addedMs: speed.addedMs, requestsPerSecond: speed.requestsPerSecond } : {}),
    peers: portkey && speed ? { portkey: { version: portkey.version, ...speed.portkey } } : {},
    ...(storms ? { storm: storms } : {}),
    loadAverage: loadavg()[0],
  };
  print(`RESULT ${JSON.stringify(result)}`);
} finally {
  await tutti.stop();
  await portkey?.stop();
  await fakes.stop();
  closeClient();
}

async function speeds(stack: Tutti) {
  await stack.apply(bundle(1_000_000));
  const subjects: Subject[] = [
    { target: { name: 'direct', url: instant, model: 'instant' }, processes: [] },
    { target: { name: 'tutti', url: stack.url, model: 'model/instant' }, processes: stack.processes },
  ];
  if (portkey) {
    const headers = portkeyHeaders([instant]);
    const target = {
      name: 'portkey',
      url: portkey.url,
      model: 'instant',
      headers,
      ...(noStreams ? { noStreams } : {}),
    };
    subjects.push({ target, processes: [portkey.process] });
  }
  const measured = new Map<string, Speed[]>();
  for (const stream of [false, true])
    for (const concurrency of [1, 16, Number(values.max)])
      for (const subject of subjects) {
        const { target } = subject;
        if (stream && target.noStreams) continue;
        const figures = await measureSpeed(subject, concurrency, stream, measureMs, warmUpMs);
        measured.set(target.name, [...(measured.get(target.name) ?? []), figures]);
      }
  print();
  print('| | at once | stream | p50 ms | p99 ms | added p50 | added p99 | req/s | CPU s for 1,000 |');
  print('| --- | --- | --- | --- | --- | --- | --- | --- | --- |');
  const direct = measured.get('direct')!;
  for (const [name, all] of measured)
    for (const [index, { concurrency, stream, p50, p99, requestsPerSecond, cpu }] of all.entries()) {
      const base = direct[index]!;
      print(
        `| ${name} | ${concurrency} | ${stream ? 'yes' : 'no'} | ${p50.toFixed(2)} | ${p99.toFixed(2)} | ${(p50 - base.p50).toFixed(2)} | ${(p99 - base.p99).toFixed(2)} | ${Math.round(requestsPerSecond)} | ${cpu.map(({ name, seconds }) => `${name} ${seconds.toFixed(2)}`).join(', ')} |`,
      );
    }
  const figuresOf = (name: string) => {
    const all = measured.get(name);
    if (!all) return undefined;
    const rates = (stream: boolean) =>
      Math.max(0, ...all.filter((each) => each.stream === stream).map((each) => each.requestsPerSecond));
    return {
      addedMs: { p50: all[0]!.p50 - direct[0]!.p50, p99: all[0]!.p99 - direct[0]!.p99 },
      requestsPerSecond: Math.round(rates(false)),
      streamsPerSecond: Math.round(rates(true)),
    };
  };
  return { ...figuresOf('tutti')!, portkey: figuresOf('portkey') };
}

async function whyNoStreams(url: string): Promise<string | undefined> {
  const target = { name: 'portkey', url, model: 'instant', headers: portkeyHeaders([instant]) };
  const { status, body } = await post(target, { messages: [{ role: 'user', content: 'Hello' }], stream: true });
  return status === 200 && body.includes('eight') ? undefined : `${status} ${body.slice(0, 100)}`;
}

/** Each provider tried up to three times, then the next: as Portkey's own documentation has it. */
function portkeyHeaders(urls: string[]): Record<string, string> {
  const retry = { attempts: 2, on_status_codes: [429, 500, 502, 503, 504] };
  const targets = urls.map((url) => ({
    provider: 'openai',
    custom_host: url,
    api_key: 'none',
    retry,
    request_timeout: 5_000,
  }));
  const config = { strategy: { mode: targets.length > 1 ? 'fallback' : 'single' }, targets };
  return { 'x-portkey-config': JSON.stringify(config) };
}

async function stormsOf(stack: Tutti) {
  await stack.apply(bundle(1_000_000));
  const targets: Target[] = [
    { name: 'tutti', url: stack.url, model: 'storm' },
    ...(portkey
      ? [
          {
            name: 'portkey',
            url: portkey.url,
            model: 'stormy',
            headers: portkeyHeaders(stormUrls),
            ...(noStreams ? { noStreams } : {}),
          },
        ]
      : []),
  ];
  const results: StormResult[] = [];
  for (const target of targets) {
    fakes.child.send({ type: 'reset', calls });
    results.push(await storm(target, { calls, concurrency: STORM_CONCURRENCY }, books));
  }
  const burst = await budgetBurst(stack);
  print();
  print('| | calls | answered | errors | wrong answers | of them spliced | tries a call | p50 / p99 ms | overspend |');
  print('| --- | --- | --- | --- | --- | --- | --- | --- | --- |');
  for (const each of results)
    print(
      `| ${each.name} | ${each.calls} | ${(each.successRate * 100).toFixed(2)}% | ${each.failed} | ${each.wrong} | ${each.wrongSplices} | ${each.attemptsPerCall.toFixed(2)} | ${each.p50Ms.toFixed(0)} / ${each.p99Ms.toFixed(0)} | ${each.name === 'tutti' ? `$${burst.overspendUsd}` : 'no budgets'} |`,
    );
  print();
  print(`errors: ${results.map(({ name, errors }) => `${name} ${JSON.stringify(errors)}`).join('; ')}`);
  print(
    `${BURST.calls} calls at once, money for ${BURST.paidFor}: ${burst.answers} answered, $${burst.spentUsd.toFixed(6)} of $${burst.limitUsd.toFixed(6)}`,
  );
  const [mine, peer] = results;
  return { tutti: { ...mine, overspendUsd: burst.overspendUsd }, ...(peer ? { portkey: peer } : {}) };
}

/** More calls at once than there is money for: what was truly used may not be above the limit. */
async function budgetBurst(stack: Tutti) {
  const limitUsd = CALL_USD * BURST.paidFor;
  const body = bundle(1) as { budgets: object };
  // by calls of this model alone, so that the storm before it does not count
  body.budgets = { burst: { scope: 'tenant', window: 'total', usd: limitUsd, models: ['instant'] } };
  await stack.apply(body);
  const target = { name: 'tutti', url: stack.url, model: 'model/instant' };
  let answers = 0;
  // budgets of a new bundle hold within TUTTI_BUNDLE_FRESH_MS (1 s) at the routers, which look when a call comes
  for (let i = 0; i < 2; i++) {
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    const { body: said } = await post(target, { messages: [{ role: 'user', content: 'First' }], max_tokens: 20 });
    if (i > 0 && said.includes('seven eight')) answers += 1;
  }
  await atOnce(BURST.calls, async (n) => {
    if (n >= BURST.calls) return false;
    const { body: said } = await post(target, { messages: [{ role: 'user', content: `Call ${n}` }], max_tokens: 20 });
    if (said.includes('seven eight')) answers += 1;
    return true;
  });
  const spentUsd = answers * CALL_USD;
  return { answers, spentUsd, limitUsd, overspendUsd: Math.max(0, Number((spentUsd - limitUsd).toFixed(9))) };
}
