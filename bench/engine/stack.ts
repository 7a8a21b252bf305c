/**
 * The run engine as it runs in earnest: nats-server, planner and tools as they are, instant fakes for memory, retriever
 * and router, each a process of its own; an OpenTelemetry sink beside them, and the load.
 */
import { createServer } from 'node:net';
import { join } from 'node:path';
import { BUCKETS } from '@tutti/contracts';
import { connectNatsBus, createBundleStore, createLogger, provision } from '@tutti/runtime';
import { bundle, TENANT } from './job.ts';
import type { Mode } from './options.ts';
import { messageFrom, type Process, startProcess } from './processes.ts';
import { type Servers, startServers } from './servers.ts';

const SERVICES = [
  { name: 'planner', file: 'services/planner/main.ts', args: [] },
  { name: 'tools', file: 'services/tools/main.ts', args: [] },
  { name: 'memory', file: 'bench/engine/worker.ts', args: ['memory'] },
  { name: 'retriever', file: 'bench/engine/worker.ts', args: ['retriever'] },
  { name: 'router', file: 'bench/engine/worker.ts', args: ['router'] },
];
const READY_TRIES = 300;
const READY_WAIT_MS = 100;

export interface Stack {
  servers: Servers;
  /** What takes part in a run: the services and the bus, by name. */
  engine: { name: string; pid: number }[];
  load: Process;
  sink: Process | undefined;
  stop(): Promise<void>;
}

export interface StackOptions {
  mode: Mode;
  tracing: boolean;
  partitions: number | undefined;
  profiles: string | undefined;
  /** Over the services' environment. */
  env?: Record<string, string>;
  load?: { file: string; env?: Record<string, string> };
}

export async function startStack(options: StackOptions): Promise<Stack> {
  const servers = await startServers(options.mode);
  const processes: Process[] = [];
  const stop = async () => {
    await Promise.all(processes.map((each) => each.stop()));
    await servers.stop();
  };
  const start = async (name: string, file: string, args: string[], env: Record<string, string | undefined>) => {
    const started = await startProcess({ name, file, args, env, profiles: options.profiles });
    processes.push(started);
    return started;
  };
  try {
    const hash = await prepareBus(servers.url, options);
    const sink = options.tracing ? await start('otel sink', 'bench/engine/sink.ts', [], process.env) : undefined;
    const env = { ...serviceEnv(servers, options), ...(sink ? await tracingEnv(sink) : {}), ...options.env };
    const services: Process[] = [];
    for (const { name, file, args } of SERVICES) {
      const port = String(await freePort());
      const service = await start(name, file, args, { ...env, TUTTI_HEALTH_PORT: port });
      await ready(service, port);
      services.push(service);
    }
    const load = await start('load', options.load?.file ?? 'bench/engine/load.ts', [], {
      ...env,
      ...options.load?.env,
      TUTTI_BENCH_BUNDLE: hash,
      TUTTI_BENCH_TRACED: sink ? '1' : undefined,
    });
    await messageFrom(load, 'ready');
    const engine = [
      ...services.map(({ name, pid }) => ({ name, pid })),
      ...servers.pids.map((pid, index) => ({ name: `nats-server${index > 0 ? ` ${index + 1}` : ''}`, pid })),
    ];
    return { servers, engine, load, sink, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function prepareBus(url: string, { mode, partitions }: StackOptions): Promise<string> {
  const bus = await connectNatsBus({ url, name: 'bench', log: createLogger({}, { level: 'warn' }) });
  try {
    await provision(bus, { replicas: mode === 'cluster' ? 3 : 1, partitions });
    return await createBundleStore(() => bus.bucket(BUCKETS.bundles)).apply(TENANT, bundle);
  } finally {
    await bus.close();
  }
}

function serviceEnv(servers: Servers, { mode }: StackOptions): Record<string, string | undefined> {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(OTEL_|OPENAI_|TUTTI_)/.test(name));
  return {
    ...Object.fromEntries(inherited),
    NATS_URL: servers.url,
    TUTTI_DATA: join(servers.folder, 'state'),
    TUTTI_NATS_REPLICAS: mode === 'cluster' ? '3' : '1',
    TUTTI_PROVISION: 'false',
    TUTTI_LOG_LEVEL: 'warn',
    // Instant tools at 512 runs at once: their defaults are for tools that take a while.
    TUTTI_TOOLS_CONCURRENT_MAX: '1024',
    TUTTI_TOOLS_CONCURRENT_PER_TOOL_MAX: '1024',
  };
}

async function tracingEnv(sink: Process): Promise<Record<string, string>> {
  const { port } = await messageFrom<{ port: number }>(sink, 'listening');
  return { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function ready(service: Process, port: string): Promise<void> {
  for (let attempt = 0; attempt < READY_TRIES; attempt++) {
    if (service.child.exitCode !== null) throw new Error(`${service.name} ended before it was ready`);
    const ok = await fetch(`http://127.0.0.1:${port}/readyz`).then(
      (response) => response.ok,
      () => false,
    );
    if (ok) return;
    await new Promise((resolve) => setTimeout(resolve, READY_WAIT_MS));
  }
  throw new Error(`${service.name} does not get ready`);
}
