/**
 * Peers from npm that do the same job, each in a process of its own. They are no part of the project: what they need is
 * installed into bench/engine/peers when they are asked for, and not by `npm ci`.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { median } from './measure.ts';
import { type Options, type PeerName, SETTLE_CONCURRENCY } from './options.ts';
import { cpuSeconds, messageFrom, peakMiB, resetPeak, startProcess } from './processes.ts';

const folder = join(import.meta.dirname, 'peers');
const INSTALL_TIMEOUT_MS = 300_000;

const PEERS: Record<PeerName, { packageName: string; keeps: string }> = {
  'openai-agents': { packageName: '@openai/agents', keeps: 'nothing' },
  'langgraph-sqlite': { packageName: '@langchain/langgraph', keeps: 'SQLite, no fsync' },
};

export interface PeerFigures {
  concurrency: number;
  runsPerSecond: number;
  p50Ms: number;
  p99Ms: number;
  cpuPerThousand: number;
  peakMiB: number;
}
export interface PeerMeasurement {
  name: PeerName;
  version: string;
  keeps: string;
  measured: PeerFigures[];
}

/** Scripts of dependencies are not run: none is needed, and some would download or compile. */
export function preparePeers(): void {
  if (existsSync(join(folder, 'node_modules/.package-lock.json'))) return;
  process.stderr.write('installing the peers …\n');
  execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
    timeout: INSTALL_TIMEOUT_MS,
  });
}

export async function runPeer(name: PeerName, options: Options): Promise<PeerMeasurement> {
  const data = mkdtempSync(join(tmpdir(), 'tutti-bench-peer-'));
  const env = { ...process.env, TUTTI_BENCH_DATA: data };
  const peer = await startProcess({ name, file: `bench/engine/peers/${name}.mjs`, env });
  try {
    await messageFrom(peer, 'ready');
    if (options.settleMs > 0) {
      const done = messageFrom(peer, 'result');
      peer.child.send({ concurrency: SETTLE_CONCURRENCY, warmUpMs: options.settleMs, measureMs: 1 });
      await done;
    }
    const measured: PeerFigures[] = [];
    for (const concurrency of options.concurrencies) {
      const repetitions: PeerFigures[] = [];
      for (let i = 0; i < options.repetitions; i++) {
        const measuring = messageFrom(peer, 'measuring');
        const done = messageFrom<{ runs: number; elapsedMs: number; p50Ms: number; p99Ms: number }>(peer, 'result');
        peer.child.send({ concurrency, warmUpMs: options.warmUpMs, measureMs: options.measureMs });
        await measuring;
        resetPeak(peer.pid);
        const before = cpuSeconds(peer.pid);
        const { runs, elapsedMs, p50Ms, p99Ms } = await done;
        repetitions.push({
          concurrency,
          runsPerSecond: (runs * 1_000) / elapsedMs,
          p50Ms,
          p99Ms,
          cpuPerThousand: ((cpuSeconds(peer.pid) - before) * 1_000) / runs,
          peakMiB: peakMiB(peer.pid),
        });
      }
      const of = (pick: (figures: PeerFigures) => number) => median(repetitions.map(pick));
      measured.push({
        concurrency,
        runsPerSecond: of((each) => each.runsPerSecond),
        p50Ms: of((each) => each.p50Ms),
        p99Ms: of((each) => each.p99Ms),
        cpuPerThousand: of((each) => each.cpuPerThousand),
        peakMiB: Math.max(...repetitions.map((each) => each.peakMiB)),
      });
    }
    const { packageName, keeps } = PEERS[name];
    const { version } = JSON.parse(readFileSync(join(folder, 'node_modules', packageName, 'package.json'), 'utf8'));
    return { name, version, keeps, measured };
  } finally {
    await peer.stop();
    rmSync(data, { recursive: true, force: true });
  }
}
