/**
 * The load: so many runs at once, each started as the gateway does it (a `start` on the inbound, acknowledged by the
 * bus) and seen to its end on the live subject. Live messages are hints: a run that says nothing is asked of its owner.
 * Told by messages what to do; a run counts where its end is seen, with the time since before its start was published.
 */
import { randomBytes } from 'node:crypto';
import { newRunId, newSessionId, type OwnerReply, partitionOf, subjects } from '@tutti/contracts';
import { type Bus, connectNatsBus, createLogger, readPartitions } from '@tutti/runtime';
import { AGENT, ANSWER, GOAL, TENANT } from './job.ts';

export interface LoadOrder {
  type: 'load';
  concurrency: number;
  warmUpMs: number;
  measureMs: number;
}
/** So many sessions, each with one run; all are started as fast as the bus takes them. */
export interface SessionsOrder {
  type: 'sessions';
  count: number;
  /** A run that has not ended by then is lost. */
  lostMs: number;
}
export interface SessionsResult {
  ended: number;
  failed: number;
  asked: number;
  /** From the first start to the last acknowledged one. */
  startedMs: number;
  elapsedMs: number;
  p50Ms: number;
  maxMs: number;
}
export interface LoadResult {
  runs: number;
  failed: number;
  /** Runs whose end was not seen live. */
  asked: number;
  elapsedMs: number;
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
}

const SWEEP_MS = 500;
const ASK_TIMEOUT_MS = 2_000;
/** A run without a word for this long is asked of its owner … */
let silenceMs = 2_000;
/** … and one without an end by then is lost: the benchmark fails. */
let lostMs = 60_000;
const STARTS_AT_ONCE = 500;
const PROGRESS_MS = 500;
const COMPLETED = Buffer.from('"run.completed"');
const FAILED = Buffer.from('"run.failed"');
const bytes = new TextEncoder();
const text = new TextDecoder();

interface Going {
  startedAt: number;
  askedAt: number;
  session: string;
  ended(ok: boolean): void;
}

const { NATS_URL = '', TUTTI_BENCH_BUNDLE = '', TUTTI_BENCH_TRACED } = process.env;
const log = createLogger({}, { level: 'warn' });
const bus = await connectNatsBus({ url: NATS_URL, name: 'bench-load', log });
const partitions = (await readPartitions(bus))!;
const going = new Map<string, Going>();
let asked = 0;

const livePrefix = subjects.live(TENANT, '');
bus.subscribe(`${livePrefix}*`, ({ subject, data }) => {
  const message = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  if (message.includes(COMPLETED)) end(subject.slice(livePrefix.length), message.includes(ANSWER));
  else if (message.includes(FAILED)) {
    log.warn({ message: message.toString() }, 'a run failed');
    end(subject.slice(livePrefix.length), false);
  }
});

function end(run: string, ok: boolean): void {
  const entry = going.get(run);
  if (!entry) return;
  going.delete(run);
  entry.ended(ok);
}

setInterval(() => {
  const now = performance.now();
  for (const [run, entry] of going) {
    if (now - entry.startedAt > lostMs) {
      log.error({ run }, 'a run does not end');
      process.exit(1);
    }
    if (now - Math.max(entry.startedAt, entry.askedAt) < silenceMs) continue;
    entry.askedAt = now;
    void askOwner(run, entry.session).catch(() => {});
  }
}, SWEEP_MS).unref();

async function askOwner(run: string, session: string): Promise<void> {
  const question = bytes.encode(JSON.stringify({ op: 'run', run }));
  const reply = await bus.request(subjects.owner(partitionOf(session, partitions)), question, ASK_TIMEOUT_MS);
  const answer = JSON.parse(text.decode(reply)) as OwnerReply;
  if (answer.op !== 'run' || !answer.run.endedAt || !going.has(run)) return;
  asked++;
  end(run, answer.run.output === ANSWER);
}

function startMessage(run: string, session: string): Uint8Array {
  const traceparent = TUTTI_BENCH_TRACED ? `00-${randomHex(16)}-${randomHex(8)}-01` : undefined;
  const start = {
    agent: AGENT,
    input: GOAL,
    bundle: TUTTI_BENCH_BUNDLE,
    principal: { id: 'bench', roles: [] },
    limits: {},
    root: run,
    memorySession: session,
    depth: 0,
    parent: null,
    brief: null,
    live: false,
    traceparent,
  };
  return bytes.encode(JSON.stringify({ v: 1, type: 'start', tenant: TENANT, session, run, at: Date.now(), start }));
}
const randomHex = (count: number) => randomBytes(count).toString('hex');

/** One run, from before its start is published until its end is seen. Resolves with its milliseconds, or null: it failed. */
async function run(onBus: Bus, accepted: () => void = () => {}): Promise<number | null> {
  const session = newSessionId();
  const id = newRunId(session);
  const startedAt = performance.now();
  const ended = new Promise<boolean>((resolve) => {
    going.set(id, { startedAt, askedAt: 0, session, ended: resolve });
  });
  const subject = subjects.inbound(partitionOf(session, partitions), TENANT, session, id);
  await onBus.append(subject, startMessage(id, session));
  accepted();
  return (await ended) ? performance.now() - startedAt : null;
}

function percentile(sorted: number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

async function load({ concurrency, warmUpMs, measureMs }: LoadOrder): Promise<LoadResult> {
  const times: number[] = [];
  let failed = 0;
  let state: 'warming' | 'measuring' | 'over' = 'warming';
  asked = 0;
  const loops = Array.from({ length: concurrency }, async () => {
    while (state !== 'over') {
      const ms = await run(bus);
      if (state !== 'measuring') continue;
      if (ms === null) failed++;
      else times.push(ms);
    }
  });
  await new Promise((resolve) => setTimeout(resolve, warmUpMs));
  process.send?.({ type: 'measuring' });
  const startedAt = performance.now();
  state = 'measuring';
  await new Promise((resolve) => setTimeout(resolve, measureMs));
  state = 'over';
  const elapsedMs = performance.now() - startedAt;
  process.send?.({ type: 'measured' });
  const runs = times.length;
  await Promise.all(loops);
  times.sort((a, b) => a - b);
  return {
    runs,
    failed,
    asked,
    elapsedMs,
    p50Ms: percentile(times, 0.5),
    p99Ms: percentile(times, 0.99),
    maxMs: times.at(-1) ?? 0,
  };
}

async function sessions({ count, lostMs: limit }: SessionsOrder): Promise<SessionsResult> {
  lostMs = limit;
  // They wait for their model for longer than others take in all.
  silenceMs = limit / 4;
  const times: number[] = [];
  let started = 0;
  let failed = 0;
  const progress = setInterval(
    () => process.send?.({ type: 'progress', started, ended: times.length + failed }),
    PROGRESS_MS,
  );
  const startedAt = performance.now();
  let startedMs = 0;
  const runs: Promise<void>[] = [];
  let next = 0;
  const starter = async () => {
    while (next++ < count) {
      await new Promise<void>((accepted) => {
        const ended = run(bus, accepted).then((ms) => {
          if (ms === null) failed++;
          else times.push(ms);
        });
        runs.push(ended);
      });
      started++;
      startedMs = performance.now() - startedAt;
    }
  };
  await Promise.all(Array.from({ length: STARTS_AT_ONCE }, starter));
  await Promise.all(runs);
  clearInterval(progress);
  times.sort((a, b) => a - b);
  const elapsedMs = performance.now() - startedAt;
  const [p50Ms, maxMs] = [percentile(times, 0.5), times.at(-1) ?? 0];
  return { ended: times.length, failed, asked, startedMs, elapsedMs, p50Ms, maxMs };
}

process.on('message', (order: LoadOrder | SessionsOrder) => {
  const work = order.type === 'load' ? load(order) : sessions(order);
  void work.then((result) => process.send?.({ type: 'result', ...result }));
});
process.once('SIGTERM', async () => {
  await bus.close();
  process.exit(0);
});
process.send?.({ type: 'ready' });
