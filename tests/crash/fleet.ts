/**
 * Tutti as real processes: nats-server (one, or three) and the six services, some of them twice, each behind a proxy of
 * its own to the bus. What is killed is started again a moment later. Everything ends with the harness, however that ends.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { locateNatsServer } from '@tutti/runtime/nats-server';
import { cacheDir, repositoryRoot, until } from '@tutti/testkit';
import { freePort, withoutModels } from '../e2e/stack.ts';

export const LEASE_MS = 1_000;
const REPLICAS = { gateway: 1, planner: 2, memory: 1, retriever: 1, tools: 2, router: 1 } as const;
export type Role = keyof typeof REPLICAS | 'nats';

/** Before what ended by itself is started again. */
const RESTART_MS = 300;
const KILL_ALL_DOWN_MS = 100;
/** All of it starts at once, on a machine that may have other things to do. */
const START_MS = 150_000;

interface Member {
  name: string;
  role: Role;
  launch(): ChildProcess;
  child: ChildProcess | undefined;
  link: BusLink | undefined;
  /** What is being done to it, while it is: one fault at a time each. */
  busy: Promise<void> | undefined;
}

/** What a service's connection to the bus goes through. */
export interface BusLink {
  readonly url: string;
  cut(ms: number): Promise<void>;
  stop(): void;
}

export interface FleetOptions {
  env: Record<string, string>;
  cluster: boolean;
  fsync: boolean;
  /** Other numbers of processes than `REPLICAS` says. */
  replicas?: Partial<Record<keyof typeof REPLICAS, number>>;
  /** Another link than one that can only be cut; `port`: of the bus. */
  link?(name: string, port: number): Promise<BusLink>;
}

/** A TCP link that can be cut. */
class Link implements BusLink {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #refuses = false;
  url = '';

  constructor(target: number) {
    this.#server = createServer((client) => {
      if (this.#refuses) return void client.destroy();
      const upstream = connect(target, '127.0.0.1');
      for (const [from, to] of [
        [client, upstream],
        [upstream, client],
      ] as const) {
        this.#sockets.add(from);
        from.on('error', () => {});
        from.on('close', () => {
          this.#sockets.delete(from);
          to.destroy();
        });
        from.pipe(to);
      }
    });
  }
  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    const { port } = this.#server.address() as { port: number };
    this.url = `nats://127.0.0.1:${port}`;
    return this;
  }
  /** All links die, and none comes up for a while. */
  async cut(ms: number): Promise<void> {
    this.#refuses = true;
    for (const socket of this.#sockets) socket.destroy();
    await sleep(ms);
    this.#refuses = false;
  }
  stop(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

/** Tutti for a test or a crash test. `start` first, `stop` in the end. */
export class Fleet {
  readonly folder = mkdtempSync(join(tmpdir(), 'tutti-crash-'));
  readonly #options: FleetOptions;
  readonly #members: Member[] = [];
  readonly #watchdog = spawn(process.execPath, [join(import.meta.dirname, 'watchdog.ts')], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  #stopping = false;
  url = '';

  constructor(options: FleetOptions) {
    this.#options = options;
    mkdirSync(join(this.folder, 'logs'));
  }

  async start(): Promise<void> {
    const bus = await this.#startBus();
    const port = await freePort();
    this.url = `http://127.0.0.1:${port}`;
    const env = {
      ...withoutModels(process.env),
      TUTTI_PORT: String(port),
      TUTTI_LOG_LEVEL: 'info',
      TUTTI_LEASE_MS: String(LEASE_MS),
      TUTTI_NATS_REPLICAS: this.#options.cluster ? '3' : '1',
      TUTTI_PARK_AFTER_MS: '300',
      TUTTI_TOOLS_PRIVATE_NETWORKS: '127.0.0.1',
      TUTTI_CHECKPOINT_ENTRIES: '2000',
      ...this.#options.env,
    };
    const replicas = { ...REPLICAS, ...this.#options.replicas };
    const makeLink = this.#options.link ?? ((_name: string, to: number) => new Link(to).start());
    for (const [role, count] of Object.entries(replicas) as [keyof typeof REPLICAS, number][]) {
      for (let i = 1; i <= count; i++) {
        const name = `${role}-${i}`;
        const link = this.#options.cluster ? undefined : await makeLink(name, bus.ports[0]!);
        const own = {
          NATS_URL: link?.url ?? bus.ports.map((each) => `nats://127.0.0.1:${each}`).join(','),
          TUTTI_DATA: join(this.folder, name),
        };
        this.#add(name, role, ['node', join(repositoryRoot, `services/${role}/main.ts`)], { ...env, ...own }, link);
      }
    }
    await until('the gateway', () => fetch(`${this.url}/readyz`).then((response) => response.ok), START_MS);
  }

  async #startBus(): Promise<{ ports: number[] }> {
    const { path } = await locateNatsServer({ cacheDir, env: process.env, log: (line) => console.error(line) });
    const nodes = this.#options.cluster ? 3 : 1;
    const ports = await Promise.all(Array.from({ length: nodes }, freePort));
    const routes = await Promise.all(Array.from({ length: nodes }, freePort));
    for (let i = 0; i < nodes; i++) {
      const store = join(this.folder, `nats-${i + 1}`);
      const cluster = this.#options.cluster
        ? [
            '--cluster_name',
            'crash',
            '--cluster',
            `nats://127.0.0.1:${routes[i]}`,
            '--routes',
            routes.map((port) => `nats://127.0.0.1:${port}`).join(','),
          ]
        : [];
      // A store directory on the command line and a configuration of JetStream do not go together.
      const storage = this.#options.fsync ? ['-c', this.#fsyncConfig(store, i)] : ['-js', '-sd', store];
      const args = [...storage, '-a', '127.0.0.1', '-p', String(ports[i]), '-n', `n${i + 1}`, ...cluster];
      this.#add(`nats-${i + 1}`, 'nats', [path, ...args], { ...process.env });
    }
    await until('the bus', () => Promise.all(ports.map(reachable)), 30_000);
    if (this.#options.cluster) await sleep(3_000);
    return { ports };
  }

  #fsyncConfig(store: string, i: number): string {
    const file = join(this.folder, `nats-${i + 1}.conf`);
    mkdirSync(store, { recursive: true });
    writeFileSync(file, `jetstream { store_dir: "${store}", sync_interval: always }\n`);
    return file;
  }

  #add(name: string, role: Role, [command, ...args]: string[], env: NodeJS.ProcessEnv, link?: BusLink): void {
    const launch = () => {
      const program = command === 'node' ? process.execPath : command!;
      const child = spawn(program, args, { cwd: repositoryRoot, env, stdio: ['ignore', 'pipe', 'pipe'] });
      const log = createWriteStream(this.logFile(name), { flags: 'a' });
      child.stdout!.pipe(log, { end: false });
      child.stderr!.pipe(log, { end: false });
      this.#watchdog.stdin!.write(`${child.pid}\n`);
      return child;
    };
    const member: Member = { name, role, launch, child: undefined, link, busy: undefined };
    this.#members.push(member);
    this.#up(member);
  }

  /** As any supervisor does, it starts again what ends by itself (a service whose bus is away when it starts, say). */
  #up(member: Member): void {
    if (this.#stopping) return;
    const child = member.launch();
    member.child = child;
    child.once('exit', (code) => {
      if (code === null || member.child !== child) return;
      setTimeout(() => member.child === child && this.#up(member), RESTART_MS);
    });
  }

  logFile(name: string): string {
    return join(this.folder, 'logs', `${name}.log`);
  }

  logs(): string[] {
    return this.#members.map(
      ({ name }) => `${name}: ${this.logFile(name)} (${readFileSync(this.logFile(name)).length} bytes)`,
    );
  }

  /** SIGKILL for all of a role, and up again. */
  async killAll(role: Role): Promise<void> {
    const members = this.#members.filter((member) => member.role === role);
    await Promise.all(members.map(() => this.kill(role, () => 0, KILL_ALL_DOWN_MS)));
  }

  /** To one of a role that nothing is being done to; waits for one if need be. */
  async #toOne(role: Role, chance: () => number, work: (member: Member) => Promise<void>): Promise<void> {
    const members = this.#members.filter((member) => member.role === role);
    let whole = members.filter(({ busy }) => !busy);
    while (whole.length === 0) {
      await Promise.race(members.map(({ busy }) => busy));
      whole = members.filter(({ busy }) => !busy);
    }
    const member = whole[Math.floor(chance() * whole.length)]!;
    member.busy = work(member).finally(() => {
      member.busy = undefined;
    });
    await member.busy;
  }

  /** SIGKILL, and up again after `downMs`. */
  kill(role: Role, chance: () => number, downMs: number): Promise<void> {
    return this.#toOne(role, chance, async (member) => {
      const { child } = member;
      // Whatever was about to bring it up again does not.
      member.child = undefined;
      await killed(child);
      await sleep(downMs);
      this.#up(member);
    });
  }

  /** SIGKILL, and nothing brings it up again until `up` does. */
  async down(name: string): Promise<void> {
    const member = this.#named(name);
    const { child } = member;
    member.child = undefined;
    await killed(child);
  }
  up(name: string): void {
    this.#up(this.#named(name));
  }
  #named(name: string): Member {
    const member = this.#members.find((candidate) => candidate.name === name);
    if (!member) throw new Error(`there is no ${name} in this fleet`);
    return member;
  }

  /** SIGSTOP for so long, then SIGCONT: it goes on as if nothing had been. */
  stall(role: Role, chance: () => number, ms: number): Promise<void> {
    return this.#toOne(role, chance, async ({ child }) => {
      child?.kill('SIGSTOP');
      await sleep(ms);
      child?.kill('SIGCONT');
    });
  }

  cut(role: Role, chance: () => number, ms: number): Promise<void> {
    return this.#toOne(role, chance, async ({ link }) => link?.cut(ms));
  }

  async stop(keep = false): Promise<void> {
    this.#stopping = true;
    const services = this.#members.filter((member) => member.role !== 'nats');
    await Promise.all(services.map(({ child }) => end(child)));
    await Promise.all(this.#members.map(({ child }) => end(child)));
    for (const { link } of this.#members) link?.stop();
    this.#watchdog.kill('SIGKILL');
    if (!keep) rmSync(this.folder, { recursive: true, force: true });
  }
}

function reachable(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', reject);
  });
}

async function killed(child: ChildProcess | undefined): Promise<void> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
}

async function end(child: ChildProcess | undefined): Promise<void> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGCONT');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 8_000);
  await gone;
  clearTimeout(timer);
}
