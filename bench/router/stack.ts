/** What the router benchmark runs: a bus, gateway and routers as they are, and the peer, each a process of its own. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { startTestNats, until } from '@tutti/testkit';
import { type Process, startProcess } from '../engine/processes.ts';
import { USED } from './fakes.ts';

const folder = join(import.meta.dirname, 'peers');
const INSTALL_TIMEOUT_MS = 300_000;
/** US dollars per million tokens. */
export const PRICE = { input: 1, output: 2 };
export const CALL_USD = (USED.input * PRICE.input + USED.output * PRICE.output) / 1_000_000;

export interface Tutti {
  url: string;
  /** Of services and bus. */
  processes: { name: string; pid: number }[];
  apply(bundle: object): Promise<void>;
  stop(): Promise<void>;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export interface TuttiOptions {
  routers: number;
  variables: Record<string, string>;
  /** Folder for a CPU profile of each process. */
  profiles?: string | undefined;
}

export async function startTutti({ routers, variables, profiles }: TuttiOptions): Promise<Tutti> {
  const nats = await startTestNats();
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const processes: Process[] = [];
  const start = async (service: string, name: string) => {
    const health = await freePort();
    const env = {
      ...process.env,
      OPENAI_API_KEY: '',
      OPENAI_BASE_URL: '',
      TUTTI_MODEL: '',
      NATS_URL: nats.url,
      TUTTI_DATA: join(nats.dataDir, name),
      TUTTI_PORT: String(port),
      TUTTI_HEALTH_PORT: String(health),
      TUTTI_LOG_LEVEL: 'error',
      // a storm is over in a minute: what hangs must not take one
      TUTTI_MODEL_TIMEOUT_MS: '5000',
      TUTTI_MODEL_FIRST_TOKEN_TIMEOUT_MS: '1000',
      TUTTI_MODEL_IDLE_TIMEOUT_MS: '1000',
      TUTTI_MODEL_CHARS_PER_SECOND_MIN: '200',
      TUTTI_MODEL_RATE_WINDOW_MS: '1000',
      TUTTI_MODEL_BACKOFF_MS: '50',
      TUTTI_BREAKER_OPEN_MS: '1000',
      ...Object.fromEntries(Object.entries(variables).map(([variable, value]) => [`TUTTI_VAR_${variable}`, value])),
    };
    processes.push(await startProcess({ name, file: `services/${service}/main.ts`, env, profiles }));
    await until(`${name} to be ready`, () => fetch(`http://127.0.0.1:${health}/readyz`).then((r) => r.ok), 60_000);
  };
  for (let i = 0; i < routers; i++) await start('router', `router-${i + 1}`);
  // readiness of the gateway needs a planner's partitions; chat with models does not
  const health = await freePort();
  processes.push(
    await startProcess({
      name: 'gateway',
      file: 'services/gateway/main.ts',
      profiles,
      env: {
        ...process.env,
        NATS_URL: nats.url,
        TUTTI_DATA: join(nats.dataDir, 'gateway'),
        TUTTI_PORT: String(port),
        TUTTI_HEALTH_PORT: String(health),
        TUTTI_LOG_LEVEL: 'error',
      },
    }),
  );
  await until('the gateway', () => fetch(`${url}/healthz`).then(() => true), 60_000);
  return {
    url: `${url}/v1`,
    processes: [...processes, { name: 'nats-server', pid: nats.server.pid }],
    async apply(bundle) {
      const response = await fetch(`${url}/v1/bundles`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(bundle),
      });
      if (!response.ok) throw new Error(`the bundle was not applied: ${await response.text()}`);
    },
    async stop() {
      await Promise.all(processes.map((one) => one.stop()));
      await nats.stop();
    },
  };
}

/** Scripts of dependencies are not run: none is needed. */
function preparePeer(): void {
  if (existsSync(join(folder, 'node_modules/.package-lock.json'))) return;
  process.stderr.write('installing the peer …\n');
  execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
    timeout: INSTALL_TIMEOUT_MS,
  });
}

export async function startPortkey(): Promise<{
  url: string;
  version: string;
  process: Process;
  stop(): Promise<void>;
}> {
  preparePeer();
  const port = await freePort();
  const peer = await startProcess({
    name: 'portkey',
    file: 'bench/router/peers/node_modules/@portkey-ai/gateway/build/start-server.js',
    args: [`--port=${port}`, '--headless'],
    env: { ...process.env, NODE_ENV: 'production', TRUSTED_CUSTOM_HOSTS: '127.0.0.1,localhost' },
    quiet: process.env.BENCH_PEER_LOG === undefined,
  });
  const url = `http://127.0.0.1:${port}`;
  await until('Portkey', () => fetch(url).then(() => true), 60_000);
  const { version } = JSON.parse(readFileSync(join(folder, 'node_modules/@portkey-ai/gateway/package.json'), 'utf8'));
  return { url: `${url}/v1`, version, process: peer, stop: () => peer.stop() };
}
