/**
 * `npm run compose [-- --at-once N] [--nats-cluster] [--only tools,nats] [--seed N] [--keep]`: docker-compose.yml on a real engine, each service three
 * times, every container of a service killed one by one under load, and the bus and the store too. `--nats-cluster`: with the
 * profile of three NATS nodes. Exit code 0 only with the last line `lost 0, twice 0, stuck 0`.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { SERVICES } from '@tutti/contracts';
import { repositoryRoot, until } from '@tutti/testkit';
import { isClean, random, summary } from '../crash/crash.ts';
import { type Outside, startOutside } from '../crash/outside.ts';
import { has, run } from './commands.ts';
import { type Engine, makeImages, openEngine } from './engine.ts';
import { Proof, phaseTable } from './proof.ts';
import { bookTrip } from './trip.ts';

const PROJECT = 'tutti-proof';
const REPLICAS = 3;
const KILL_GAP_MS = 3_000;
const POLL_MS = 300;
const UP_MS = 300_000;
const FINISH_MS = 180_000;

const { values } = parseArgs({
  options: {
    'at-once': { type: 'string', default: '3' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    port: { type: 'string', default: '18080' },
    'nats-cluster': { type: 'boolean', default: false },
    only: { type: 'string', default: [...SERVICES, 'nats', 'mongo'].join(',') },
    keep: { type: 'boolean', default: false },
  },
});
const only = values.only.split(',');
const NATS_NODES = values['nats-cluster'] ? ['nats', 'nats-2', 'nats-3'] : ['nats'];
const seed = Number(values.seed);
const port = Number(values.port);
const zero = Date.now();
const log = (line: string) => console.log(`${((Date.now() - zero) / 1_000).toFixed(1).padStart(7)} s  ${line}`);
log(`seed ${seed}`);

const engine = await openEngine(log);
let exitCode = 1;
try {
  await makeImages(engine, log);
  exitCode = await prove(engine);
} finally {
  await engine.close();
}
process.exit(exitCode);

async function prove(engine: Engine): Promise<number> {
  const chance = random(seed);
  const compose = await composeOf(engine);
  const scale = SERVICES.flatMap((service) => ['--scale', `${service}=${REPLICAS}`]);
  const offline = { OPENAI_BASE_URL: '', OPENAI_API_KEY: '', TUTTI_MODEL: '' };
  let outside: Outside | undefined;
  try {
    await compose(['down', '-v', '--remove-orphans'], offline);
    log('docker compose up');
    await compose(['up', '-d', '--no-build', ...scale], offline);
    const urls = await gatewayUrls(engine);
    await until('the gateway', () => fetch(`${urls[0]}/readyz`).then(({ ok }) => ok), UP_MS);
    log(`${SERVICES.length * REPLICAS} containers of ours are up; gateways at ${urls.join(', ')}`);
    log(await bookTrip(urls[0]!, await portOf(engine, 'jaeger', 16686)));
    log('the same with the scripted model, and a shop that counts');
    outside = await startOutside(chance, await hostAddress(engine));
    const shop = new URL(outside.shopUrl).hostname;
    const scripted = {
      // The shop is on this machine, and so on no public address.
      TUTTI_TOOLS_PRIVATE_NETWORKS: shop,
      OPENAI_BASE_URL: outside.modelUrl,
      OPENAI_API_KEY: 'none',
      TUTTI_MODEL: 'crash',
      TUTTI_OFFLINE_FALLBACK: 'false',
    };
    const changed = ['router', 'tools'];
    const scales = changed.flatMap((service) => ['--scale', `${service}=${REPLICAS}`]);
    await compose(['up', '-d', '--no-build', '--no-deps', ...scales, ...changed], scripted);
    for (const service of changed) await healthy(engine, service);
    const proof = new Proof({ urls: await gatewayUrls(engine), outside, seed, log });
    await until('a bundle to be taken', () => proof.apply().then(() => true), UP_MS);
    proof.load(Number(values['at-once']));
    await proof.phase('nothing', () => sleep(10_000));
    for (const service of SERVICES.filter((name) => only.includes(name)))
      await proof.phase(`${service}: each of three killed`, () => killEach(engine, service));
    for (const node of only.includes('nats') ? NATS_NODES : []) {
      await proof.phase(`${node} killed`, () => killEach(engine, node));
      // As an operator would: the next one goes when this one has all copies again.
      await until(`${node} to have caught up`, () => caughtUp(engine, node), UP_MS);
    }
    if (only.includes('mongo')) await proof.phase('mongo killed', () => killEach(engine, 'mongo'));
    const report = await proof.finish(FINISH_MS);
    for (const [what, list] of Object.entries(report.verdict))
      for (const line of list.slice(0, 20)) console.log(`${what}: ${line}`);
    for (const line of report.slowest) console.log(`slow: ${line}`);
    console.log(`\n${phaseTable(report)}\n`);
    console.log(
      `${report.runs} runs, ${report.completed} completed, the others cancelled; ${report.seconds.toFixed(0)} s of load`,
    );
    const { repeatsByKey, foundByProbe } = outside.saved;
    console.log(`seen by the shop: ${repeatsByKey} repeats under a known key, ${foundByProbe} found by a probe`);
    console.log(summary(report));
    return isClean(report) ? 0 : 1;
  } finally {
    if (!values.keep) await compose(['down', '-v', '--remove-orphans'], offline);
    outside?.close();
  }
}

/** Of this machine, for its containers. */
async function hostAddress(engine: Engine): Promise<string> {
  const network = `${PROJECT}_default`;
  return (await engine.docker('network', 'inspect', network, '-f', '{{(index .IPAM.Config 0).Gateway}}')).trim();
}

/** The plugin, or the older program of that name. */
async function composeOf(engine: Engine): Promise<(args: string[], env: NodeJS.ProcessEnv) => Promise<string>> {
  const plugin = await engine.docker('compose', 'version').then(
    () => true,
    () => false,
  );
  if (!plugin && !(await has('docker-compose')))
    throw new Error('there is neither "docker compose" nor docker-compose');
  const [command, first] = plugin ? [engine.env.DOCKER!, ['compose']] : ['docker-compose', []];
  const ports = {
    TUTTI_PORT: `${port}-${port + REPLICAS - 1}`,
    TUTTI_JAEGER_PORT: String(port + 10),
    COMPOSE_HTTP_TIMEOUT: '300',
  };
  const file = values['nats-cluster'] ? ['--env-file', 'deploy/compose/cluster.env'] : [];
  return (args, env) =>
    run(command, [...first, ...file, '-p', PROJECT, ...args], {
      env: { ...engine.env, ...ports, ...env },
      cwd: repositoryRoot,
      timeoutMs: UP_MS,
    });
}

async function containersOf(engine: Engine, service: string): Promise<string[]> {
  const filters = [`label=com.docker.compose.project=${PROJECT}`, `label=com.docker.compose.service=${service}`];
  const ids = await engine.docker('ps', '-q', ...filters.flatMap((filter) => ['--filter', filter]));
  return ids.split('\n').filter(Boolean);
}

async function portOf(engine: Engine, service: string, inside: number): Promise<string> {
  const [id] = await containersOf(engine, service);
  return `http://${(await engine.docker('port', id!, `${inside}/tcp`)).trim().split('\n')[0]}`;
}

async function gatewayUrls(engine: Engine): Promise<string[]> {
  const ids = await containersOf(engine, 'gateway');
  return Promise.all(
    ids.map(async (id) => `http://${(await engine.docker('port', id, '8080/tcp')).trim().split('\n')[0]}`),
  );
}

/** Until all of its containers are ready for work. */
async function healthy(engine: Engine, service: string): Promise<void> {
  const states = async () =>
    Promise.all(
      (await containersOf(engine, service)).map((id) => engine.docker('inspect', '-f', '{{.State.Health.Status}}', id)),
    );
  const all = async () => (await states()).filter((state) => state.trim() === 'healthy').length === REPLICAS;
  await until(`${service} to be well`, all, UP_MS);
}

async function caughtUp(engine: Engine, node: string): Promise<boolean> {
  const [id] = await containersOf(engine, node);
  return engine.docker('exec', id!, 'wget', '-q', '-O', '/dev/null', 'http://127.0.0.1:8222/healthz').then(
    () => true,
    () => false,
  );
}

/** SIGKILL to the container's first process, so that the engine sees a crash and starts it again: `docker kill` would count as meant. */
async function killEach(engine: Engine, service: string): Promise<void> {
  for (const id of await containersOf(engine, service)) {
    const state = '{{.State.Pid}} {{.RestartCount}}';
    const [pid, restarts] = (await engine.docker('inspect', '-f', state, id)).trim().split(' ').map(Number);
    process.kill(pid!, 'SIGKILL');
    await until(
      `${service} to be started again`,
      async () => {
        await sleep(POLL_MS);
        const now = (await engine.docker('inspect', '-f', '{{.RestartCount}} {{.State.Health.Status}}', id)).trim();
        return Number(now.split(' ')[0]) > restarts! && now.endsWith(' healthy');
      },
      UP_MS,
    );
    await sleep(KILL_GAP_MS);
  }
}
