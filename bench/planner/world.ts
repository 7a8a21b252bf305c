/** What the planner's benchmarks stand on: a real nats-server, the fakes, planners as processes of their own, and runs. */
import { createServer } from 'node:net';
import { join } from 'node:path';
import {
  BUCKETS,
  InboundMessage,
  newRunId,
  newSessionId,
  type OwnerReply,
  type PartitionLoad,
  partitionOf,
  subjects,
} from '@tutti/contracts';
import { type Bus, connectNatsBus, createBundleStore, createLogger, provision } from '@tutti/runtime';
import { messageFrom, type Process, startProcess } from '../engine/processes.ts';
import { type Servers, startServers } from '../engine/servers.ts';
import { AGENT, bundle, goalOf, TENANT, type Wait } from './job.ts';

export interface Planner {
  process: Process;
  /** Its name on the bus. */
  instance: string;
  port: string;
  /** What it has logged, as records. */
  lines: Record<string, unknown>[];
  said(message: string, limitMs?: number): Promise<Record<string, unknown>>;
}
export interface Run {
  id: string;
  session: string;
}
export type World = Awaited<ReturnType<typeof openWorld>>;

const APPENDS_AT_ONCE = 256;
const bytes = new TextEncoder();

export async function openWorld(options: { partitions: number; env?: Record<string, string> }) {
  const { partitions } = options;
  const servers: Servers = await startServers('default');
  const log = createLogger({}, { level: 'error' });
  const processes: Process[] = [];
  let bus: Bus | undefined;
  const close = async () => {
    for (const each of processes.reverse()) await each.stop();
    await bus?.close();
    await servers.stop();
  };
  try {
    bus = await connectNatsBus({ url: servers.url, name: 'bench', log });
    await provision(bus, { replicas: 1, partitions });
    const hash = await createBundleStore(() => bus!.bucket(BUCKETS.bundles)).apply(TENANT, bundle);
    const env = {
      ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(OTEL_|TUTTI_)/.test(name))),
      NATS_URL: servers.url,
      TUTTI_DATA: join(servers.folder, 'state'),
      TUTTI_PROVISION: 'false',
      TUTTI_LOG_LEVEL: 'warn',
      ...options.env,
    };
    const fakes = await startProcess({
      name: 'fakes',
      file: 'bench/planner/fakes.ts',
      env: { ...env, TUTTI_IN_FLIGHT_MAX: '32768' },
    });
    processes.push(fakes);
    await messageFrom(fakes, 'ready');
    const made = bus;
    return {
      servers,
      bus: made,
      fakes,
      hash,
      close,
      async planner(name: string, profiles?: string, more: Record<string, string> = {}): Promise<Planner> {
        const port = await freePort();
        const planner = await startPlanner(
          name,
          { ...env, TUTTI_LOG_LEVEL: 'info', TUTTI_HEALTH_PORT: port, ...more },
          profiles,
        );
        processes.push(planner.process);
        const { instance } = await planner.said('started');
        return { ...planner, instance: instance as string, port };
      },
      start: (count: number, wait: Wait, seconds = 0) =>
        startRuns(made, partitions, hash, count, goalOf(wait, seconds)),
      /** Starts a run that is soon over. */
      async probe(partition: number): Promise<void> {
        let session = newSessionId();
        while (partitionOf(session, partitions) !== partition) session = newSessionId();
        await appendAll(made, partitions, [startOf({ id: newRunId(session), session }, hash, goalOf('nothing'))]);
      },
      tell: (messages: InboundMessage[]) => appendAll(made, partitions, messages),
      /** What a stream holds. */
      async streamMiB(stream: string): Promise<number> {
        const reply = await made.request(`$JS.API.STREAM.INFO.${stream}`, new Uint8Array(), 5_000);
        return JSON.parse(new TextDecoder().decode(reply)).state.bytes / 2 ** 20;
      },
      async ask(partition: number, request: object): Promise<OwnerReply | undefined> {
        const data = bytes.encode(JSON.stringify(request));
        const reply = await made.request(subjects.owner(partition), data, 2_000).catch(() => undefined);
        return reply && JSON.parse(new TextDecoder().decode(reply));
      },
      async load(partition: number): Promise<PartitionLoad | undefined> {
        const reply = await this.ask(partition, { op: 'load' });
        return reply?.op === 'load' ? reply.load : undefined;
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function startPlanner(name: string, env: Record<string, string | undefined>, profiles: string | undefined) {
  const process = await startProcess({ name, file: 'services/planner/main.ts', env, profiles, quiet: true });
  const lines: Record<string, unknown>[] = [];
  let rest = '';
  process.child.stderr!.on('data', (chunk: Buffer) => {
    const all = (rest + chunk.toString()).split('\n');
    rest = all.pop()!;
    for (const line of all.filter((each) => each.startsWith('{'))) {
      lines.push({ ...JSON.parse(line), seenAt: performance.now() });
      if ((lines.at(-1)!.level as number) >= 40) globalThis.process.stderr.write(`[${name}] ${line}\n`);
    }
  });
  const said = async (message: string, limitMs = 60_000) =>
    waitFor(`${name} to say "${message}"`, () => lines.find(({ msg }) => msg === message), limitMs);
  return { process, lines, said };
}

async function startRuns(bus: Bus, partitions: number, hash: string, count: number, goal: string): Promise<Run[]> {
  const runs: Run[] = Array.from({ length: count }, () => {
    const session = newSessionId();
    return { id: newRunId(session), session };
  });
  await appendAll(
    bus,
    partitions,
    runs.map((run) => startOf(run, hash, goal)),
  );
  return runs;
}

function startOf({ id, session }: Run, bundle: string, input: string): InboundMessage {
  return {
    v: 1,
    type: 'start',
    tenant: TENANT,
    session,
    run: id,
    at: Date.now(),
    start: {
      agent: AGENT,
      input,
      bundle,
      principal: { id: 'bench', roles: [] },
      limits: {},
      root: id,
      memorySession: session,
      depth: 0,
      parent: null,
      brief: null,
      live: false,
    },
  };
}

async function appendAll(bus: Bus, partitions: number, messages: InboundMessage[]): Promise<void> {
  for (let at = 0; at < messages.length; at += APPENDS_AT_ONCE)
    await Promise.all(
      messages.slice(at, at + APPENDS_AT_ONCE).map((message) => {
        const { session, tenant, run } = InboundMessage.parse(message);
        const subject = subjects.inbound(partitionOf(session, partitions), tenant, session, run);
        return bus.append(subject, bytes.encode(JSON.stringify(message)));
      }),
    );
}

export async function waitFor<T>(
  what: string,
  look: () => T | undefined | null | false | Promise<T | undefined | null | false>,
  limitMs = 120_000,
  everyMs = 20,
): Promise<T> {
  const endAt = performance.now() + limitMs;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (performance.now() > endAt) throw new Error(`waited ${limitMs} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

export async function scrape(port: string): Promise<Record<string, number>> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  );
}

export const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

async function freePort(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return String(port);
}
