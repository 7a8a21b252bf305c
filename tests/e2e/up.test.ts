/** `npm start` and `npx tutti chat`, as a newcomer has them: killed as a whole in the middle of the trip, and started again. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SERVICES } from '@tutti/contracts';
import { cacheDir, repositoryRoot, until } from '@tutti/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { distinct, judge } from '../trace/tree.ts';
import { type Booking, client } from './client.ts';
import { collectSpans } from './collector.ts';
import { freePort, withoutModels } from './stack.ts';

const GOAL = 'Plan a business trip to Tokyo from 12 to 16 May 2027 and book the flights';

class Up {
  readonly dataDir = mkdtempSync(join(tmpdir(), 'tutti-up-'));
  readonly env: Record<string, string>;
  readonly url: string;
  output = '';
  #child: ChildProcess | undefined;
  constructor(port: number, extra: Record<string, string> = {}) {
    this.url = `http://127.0.0.1:${port}`;
    this.env = {
      ...withoutModels(process.env),
      TUTTI_PORT: String(port),
      TUTTI_DATA: this.dataDir,
      TUTTI_CACHE: cacheDir,
      ...extra,
    } as Record<string, string>;
  }
  async start(): Promise<void> {
    const from = this.output.length;
    const child = spawn(process.execPath, ['libs/cli/src/main.ts', 'up'], {
      cwd: repositoryRoot,
      env: this.env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    for (const stream of [child.stdout!, child.stderr!]) {
      stream.on('data', (chunk) => {
        this.output += chunk;
      });
    }
    await until('tutti up', () => {
      if (child.exitCode !== null) throw new Error(`it ended: ${this.output}`);
      return this.output.slice(from).includes('Tutti is up');
    });
  }
  async end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child!;
    const code = new Promise<number | null>((resolve) => child.once('exit', resolve));
    child.kill(signal);
    return code;
  }
  bookings(): Booking[] {
    const file = join(this.dataDir, 'travel/flights/bookings.jsonl');
    const lines = readFileSync(file, 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line));
    return lines;
  }
  async clean(): Promise<void> {
    if (this.#child?.exitCode === null && this.#child.signalCode === null) await this.end('SIGTERM');
    rmSync(this.dataDir, { recursive: true, force: true });
  }
}

describe('all in one process', () => {
  test('is killed as a whole before and after the approval, started again each time, and books once', async () => {
    const up = new Up(await freePort());
    const api = client(up.url);
    try {
      await up.start();
      const { id } = await api.start(GOAL);
      await up.end('SIGKILL');
      await up.start();
      const { approval } = await api.approvalOrEnd(id);
      expect(approval).toMatchObject({ tool: 'bookFlight', run: id });
      await up.end('SIGKILL');
      await up.start();
      await until('the approval again', async () => (await api.pending(id))[0]?.id === approval!.id);
      await api.decide(approval!.id, 'approve');
      await up.end('SIGKILL');
      await up.start();
      const run = await api.ended(id);
      expect(run.status).toBe('completed');
      const { data } = await api.call<{ data: { type: string }[] }>('GET', `/v1/runs/${id}/journal`);
      expect(data.filter((entry) => entry.type === 'run.completed')).toHaveLength(1);
      expect(up.bookings().filter((line) => JSON.stringify(line).includes('bookingId')).length).toBeGreaterThan(0);
      expect(await up.end('SIGTERM')).toBe(0);
    } finally {
      await up.clean();
    }
  });
});

describe('one trace', () => {
  test('holds the whole run: every span has its parent, and all six services are in it', async () => {
    const collector = await collectSpans();
    const up = new Up(await freePort(), { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url });
    try {
      await up.start();
      const { run } = await client(up.url).complete(GOAL);
      expect(run.status).toBe('completed');
      await up.end('SIGTERM');
      const mine = collector.spans().filter((span) => span.attributes['tutti.run.id'] === run.id);
      const traceId = mine[0]!.traceId;
      const trace = collector.spans().filter((span) => span.traceId === traceId);
      expect(new Set(trace.map((span) => span.service))).toEqual(new Set(SERVICES.map((name) => `tutti-${name}`)));
      // Spans are ended a little late where the machine is busy.
      expect(judge(distinct(trace), 1_000).problems).toEqual([]);
      const names = trace.map((span) => span.name);
      for (const name of ['invoke_workflow travel', 'invoke_agent travel', 'approval.wait'])
        expect(names).toContain(name);
    } finally {
      await up.clean();
      collector.stop();
    }
  });
});

describe('in the terminal', () => {
  let up: Up;
  beforeAll(async () => {
    up = new Up(await freePort());
    await up.start();
  });
  afterAll(() => up.clean());

  test('the trip runs through, with the approval in place', async () => {
    const child = spawn(process.execPath, ['libs/cli/src/main.ts', 'chat', 'travel', '--url', up.url], {
      cwd: repositoryRoot,
      env: up.env,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        output += chunk;
      });
    }
    child.stdin.write(`${GOAL}\n`);
    await until('the question', () => /Approval needed: bookFlight/.test(output));
    child.stdin.write('y\n');
    await until('the answer', () => /912/.test(output) && /booked/i.test(output));
    child.stdin.end();
    expect(await new Promise((resolve) => child.once('exit', resolve))).toBe(0);
  });
});

describe('with another model', () => {
  test('three variables are enough, and when it is down the offline model answers, marked as degraded', async () => {
    const dead = createServer((_request, response) => response.writeHead(500).end('{}'));
    await new Promise<void>((resolve) => dead.listen(0, '127.0.0.1', resolve));
    const up = new Up(await freePort(), {
      OPENAI_BASE_URL: `http://127.0.0.1:${(dead.address() as AddressInfo).port}/v1`,
      OPENAI_API_KEY: 'k',
      TUTTI_MODEL: 'some-model',
    });
    try {
      await up.start();
      expect(up.output).toContain('some-model');
      const { id } = await client(up.url).start('What is the ceiling for a flight to Asia?');
      const run = await client(up.url).ended(id);
      expect(run).toMatchObject({ status: 'completed', degraded: true });
    } finally {
      await up.clean();
      dead.closeAllConnections();
      dead.close();
    }
  });
});
