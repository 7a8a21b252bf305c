/**
 * Tutti in one process: bus, helper servers, six services, a bundle. Invariants: whatever was started is stopped again, in
 * the opposite order, also when the start fails half-way; and what runs outside this process cannot outlive it.
 */
import { join } from 'node:path';
import { BUCKETS, TuttiError } from '@tutti/contracts';
import {
  connectNatsBus,
  createBundleStore,
  createCaller,
  createLogger,
  provision,
  RuntimeConfig,
  stopTelemetry,
} from '@tutti/runtime';
import type { LoadedBundle } from '../bundle/load.ts';
import { readBundle } from '../bundle/remote-documents.ts';
import { applyBundle, waitForIndex } from './apply-bundle.ts';
import type { Overview } from './banner.ts';
import { type BusServer, openBusServer } from './bus-server.ts';
import { claimDataFolder, type DataFolder } from './data-folder.ts';
import { type RunningHelper, startHelpers } from './helper-servers.ts';
import { freePort, tryPort } from './ports.ts';
import { createServiceGroup } from './services.ts';

/** Whose bundle `tutti up` applies. */
const TENANT = 'default';
const DEFAULT_PORT = 8080;
const DEFAULT_HOST = '127.0.0.1';

export interface UpOptions {
  dir: string;
  env: Record<string, string | undefined>;
  /** One line for people, now and then. */
  say: (line: string) => void;
  /** Aborted: no longer wanted. What has begun to start is stopped again, and `up` rejects with `cancelled`. */
  signal?: AbortSignal;
}

export interface RunningTutti {
  overview: Overview;
  /** Resolves with the reason when something that cannot be replaced has ended. */
  lost: Promise<string>;
  stop(): Promise<void>;
}

/** Throws TuttiError with a message for people; then nothing is left running. */
export async function up(options: UpOptions): Promise<RunningTutti> {
  const startedAt = performance.now();
  const loaded = await readBundle(options.dir);
  const closers: (() => unknown)[] = [];
  const stop = once(async () => {
    for (const close of closers.reverse()) await close();
  });
  try {
    const data = claimDataFolder(options.env.TUTTI_DATA || '.tutti');
    closers.push(data.release);
    const port = await choosePort(options.env);
    return await start(options, loaded, data, port, closers, stop, startedAt);
  } catch (error) {
    await stop();
    throw error;
  }
}

async function start(
  options: UpOptions,
  loaded: LoadedBundle,
  data: DataFolder,
  port: number,
  closers: (() => unknown)[],
  stop: () => Promise<void>,
  startedAt: number,
): Promise<RunningTutti> {
  const logFile = join(data.path, 'tutti.log');
  const log = createLogger({}, { level: options.env.TUTTI_LOG_LEVEL || 'info', destination: logFile });
  const say = (line: string) => {
    log.info(line);
    options.say(line);
  };
  const goOn = () => checkWanted(options.signal);
  const busServer = await openBusServer(options.env, data, say);
  closers.push(busServer.stop);
  goOn();
  const helpers = await startHelpers(loaded.servers, { bundle: loaded.bundle.name, dir: loaded.dir, data, log: say });
  closers.push(() => Promise.all(helpers.map((helper) => helper.stop())));
  closers.push(stopTelemetry);
  goOn();

  const environment = serviceEnvironment(options.env, loaded, data, busServer, helpers, port);
  const { bus, credentials } = await connect(busServer, options.env, log);
  closers.push(() => bus.close());
  const runtime = RuntimeConfig.parse(withoutEmpty({ ...options.env, ...credentials }));
  const { TUTTI_PARTITIONS: partitions, TUTTI_LOG_STREAMS: logStreams, TUTTI_NATS_REPLICAS: replicas } = runtime;
  await provision(bus, { partitions, logStreams, replicas });
  const applied = await applyBundle(
    loaded,
    TENANT,
    bus,
    createBundleStore(() => bus.bucket(BUCKETS.bundles)),
  );

  const services = await createServiceGroup(environment, log);
  closers.push(services.stop);
  await services.startAll(goOn);
  const caller = createCaller(bus, log);
  closers.push(() => caller.close());
  await waitForIndex(applied, TENANT, caller, goOn);
  const { models } = await caller.call('models', {}, { tenant: TENANT, timeoutMs: 5_000 });

  const host = options.env.TUTTI_HOST || DEFAULT_HOST;
  const url = `http://${host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host}:${port}`;
  data.write('up.json', { pid: process.pid, since: new Date().toISOString(), url, nats: busServer.url });
  const overview: Overview = {
    url,
    bus: { url: busServer.url, version: busServer.version, own: busServer.own },
    bundle: { name: loaded.bundle.name, agents: Object.keys(loaded.bundle.agents), dir: loaded.dir },
    documents: { total: loaded.documents.length, changed: applied.written.length },
    helpers: helpers.map((helper) => ({ name: helper.name, url: helper.url })),
    model: models[0]?.id ?? 'none',
    dataDir: data.path,
    logFile,
    traces: options.env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT || options.env.OTEL_EXPORTER_OTLP_ENDPOINT,
    tookMs: performance.now() - startedAt,
  };
  return { overview, lost: busServer.lost, stop };
}

async function connect(server: BusServer, env: UpOptions['env'], log: ReturnType<typeof createLogger>) {
  const credentials = { NATS_URL: server.url };
  const user = env.TUTTI_NATS_USER;
  const bus = await connectNatsBus({
    url: server.url,
    name: 'up',
    log,
    ...(user ? { credentials: { user, password: env.TUTTI_NATS_PASSWORD ?? '' } } : {}),
  });
  return { bus, credentials };
}

function serviceEnvironment(
  env: UpOptions['env'],
  loaded: LoadedBundle,
  data: DataFolder,
  bus: BusServer,
  helpers: RunningHelper[],
  port: number,
): UpOptions['env'] {
  return {
    ...env,
    ...bundleVariables(loaded, data, helpers),
    NATS_URL: bus.url,
    TUTTI_DATA: data.path,
    TUTTI_PORT: String(port),
    TUTTI_PROVISION: 'false',
    // six services share the process: a health port of each would clash, and the gateway has one of its own
    TUTTI_HEALTH_PORT: undefined,
  };
}

/** What `${NAME}` in the bundle's tool sources stands for. */
export function bundleVariables(
  loaded: LoadedBundle,
  data: DataFolder,
  helpers: RunningHelper[],
): Record<string, string> {
  const bundle = variableName(loaded.bundle.name);
  return {
    ...Object.fromEntries(helpers.map(({ name, url }) => [`TUTTI_VAR_${variableName(name)}_URL`, url])),
    [`TUTTI_VAR_${bundle}_DIR`]: loaded.dir,
    [`TUTTI_VAR_${bundle}_DATA_DIR`]: data.folder(loaded.bundle.name),
  };
}

function variableName(name: string): string {
  return name.toUpperCase().replaceAll('-', '_');
}

async function choosePort(env: UpOptions['env']): Promise<number> {
  const asked = Number(env.TUTTI_PORT || DEFAULT_PORT);
  if (!Number.isInteger(asked) || asked < 0 || asked > 65_535)
    throw new TuttiError('invalid_request', `TUTTI_PORT must be a port number, not "${env.TUTTI_PORT}"`);
  if (asked === 0) return freePort();
  const port = await tryPort(asked, env.TUTTI_HOST || DEFAULT_HOST);
  if (port !== undefined) return port;
  throw new TuttiError(
    'conflict',
    `port ${asked} is taken (by another Tutti?). Set TUTTI_PORT to another one, or to 0 for any.`,
  );
}

function checkWanted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new TuttiError('cancelled', 'stopped before it was up');
}

function withoutEmpty(env: UpOptions['env']): UpOptions['env'] {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value));
}

function once(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  return () => {
    running ??= work();
    return running;
  };
}
