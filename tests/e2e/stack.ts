/**
 * The whole of Tutti as it runs in earnest: a nats-server, the travel example's servers and six services, each a process
 * of its own that a test may kill. Over HTTP from outside, like any user. Everything is gone after `stop`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, mkdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { SERVICES, type ServiceName } from '@tutti/contracts';
import { repositoryRoot, startTestNats, type TestNats, until } from '@tutti/testkit';

const node = process.execPath;
const travel = join(repositoryRoot, 'examples/travel');

export interface Stack {
  url: string;
  nats: TestNats;
  flightsUrl: string;
  /** SIGKILL. `name`: of a process that was started beside the service's first. */
  kill(name: string): Promise<void>;
  /** SIGTERM, and its end awaited. */
  drain(name: string): Promise<void>;
  start(service: ServiceName): Promise<void>;
  /** Another process of a service, resolved when it is ready; `execArgv`: what Node is told before the service's file. */
  startBeside(service: ServiceName, name: string, execArgv?: string[]): Promise<void>;
  ready(): Promise<void>;
  logs(service: string): string;
  /** Of the health port of a service's first process. */
  healthUrl(service: ServiceName): string;
  stop(): Promise<void>;
}

/** Six processes that start at once, on a machine that has other things to do. */
const READY_MS = 90_000;

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const ok = (url: string) => fetch(url).then((response) => response.ok);

export async function startStack(extra: Record<string, string> = {}): Promise<Stack> {
  const nats = await startTestNats();
  const port = await freePort();
  const flightsPort = await freePort();
  const health = Object.fromEntries(await Promise.all(SERVICES.map(async (name) => [name, await freePort()] as const)));
  const logDir = join(nats.dataDir, 'logs');
  mkdirSync(logDir, { recursive: true });
  const url = `http://127.0.0.1:${port}`;
  const flightsUrl = `http://127.0.0.1:${flightsPort}`;
  const env = {
    ...withoutModels(process.env),
    NATS_URL: nats.url,
    TUTTI_DATA: join(nats.dataDir, 'state'),
    TUTTI_PORT: String(port),
    TUTTI_LOG_LEVEL: 'info',
    TUTTI_LEASE_MS: '1000',
    TUTTI_VAR_FLIGHTS_URL: flightsUrl,
    TUTTI_VAR_TRAVEL_DIR: travel,
    TUTTI_VAR_TRAVEL_DATA_DIR: join(nats.dataDir, 'travel'),
    ...extra,
  };
  const children = new Map<string, ChildProcess>();
  const logFile = (name: string) => join(logDir, `${name}.log`);

  function launch(name: string, args: string[], more: Record<string, string> = {}): ChildProcess {
    const child = spawn(node, args, {
      cwd: repositoryRoot,
      env: { ...env, ...more },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const log = createWriteStream(logFile(name), { flags: 'a' });
    child.stdout!.pipe(log, { end: false });
    child.stderr!.pipe(log, { end: false });
    children.set(name, child);
    return child;
  }
  async function end(name: string, signal: NodeJS.Signals): Promise<void> {
    const child = children.get(name);
    children.delete(name);
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await gone;
  }

  const stack: Stack = {
    url,
    nats,
    flightsUrl,
    kill: (name) => end(name, 'SIGKILL'),
    drain: (name) => end(name, 'SIGTERM'),
    async start(service) {
      launch(service, [`services/${service}/main.ts`], { TUTTI_HEALTH_PORT: String(health[service]) });
    },
    async startBeside(service, name, execArgv = []) {
      const healthPort = String(await freePort());
      const child = launch(name, [...execArgv, `services/${service}/main.ts`], { TUTTI_HEALTH_PORT: healthPort });
      await until(`${name} to be ready`, () => {
        if (child.exitCode !== null) throw new Error(`it ended: ${stack.logs(name).slice(-2_000)}`);
        return ok(`http://127.0.0.1:${healthPort}/readyz`);
      });
    },
    async ready() {
      for (const service of SERVICES) {
        const isReady = () => {
          const child = children.get(service);
          if (child && child.exitCode !== null) throw new Error(`it ended: ${stack.logs(service).slice(-2_000)}`);
          return ok(`http://127.0.0.1:${health[service]}/readyz`);
        };
        await until(`${service} to be ready`, isReady, READY_MS).catch((error: Error) => {
          throw new Error(`${error.message}; it said: ${stack.logs(service).slice(-2_000)}`);
        });
      }
    },
    logs: (service) => readFileSync(logFile(service), 'utf8'),
    healthUrl: (service) => `http://127.0.0.1:${health[service]}`,
    async stop() {
      await Promise.all([...children.keys()].map((name) => end(name, 'SIGTERM')));
      await nats.stop();
    },
  };
  try {
    launch('flights', [join(travel, 'servers/flights/main.ts')], {
      PORT: String(flightsPort),
      DATA_DIR: join(nats.dataDir, 'travel/flights'),
    });
    await until('the flights server', () => ok(`${flightsUrl}/healthz`));
    for (const service of SERVICES) await stack.start(service);
    await stack.ready();
    const apply = launch('apply', ['libs/cli/src/main.ts', 'apply', travel], { TUTTI_URL: url });
    const code = await new Promise((resolve) => apply.once('exit', resolve));
    if (code !== 0) throw new Error(`the bundle was not applied: ${stack.logs('apply')}`);
    return stack;
  } catch (error) {
    await stack.stop();
    throw error;
  }
}

/** Tests run on the offline model, whatever the developer's shell has. */
export function withoutModels(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !/^(OPENAI_|TUTTI_MODEL|OTEL_)/.test(name)));
}
