/** Many seeds on all cores: each thread takes the next few when it is done with its last. */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Simulated } from './simulate.ts';

export interface PoolOptions {
  from: number;
  count: number;
  runs?: number | undefined;
  mutant?: string | undefined;
  workers?: number | undefined;
  /** Told of each seed as it is done; false: enough. */
  done(result: Simulated): boolean;
}

export interface Share {
  seeds: number[];
  runs: number | undefined;
  mutant: string | undefined;
}

const SHARE_SEEDS = 10;
/** Worlds are made and thrown away: with room, most of them are gone before they are ever looked at. */
const YOUNG_GENERATION_MB = 64;

export async function simulateMany(options: PoolOptions): Promise<void> {
  const end = options.from + options.count;
  let next = options.from;
  let enough = false;
  const take = (): Share | undefined => {
    if (enough || next >= end) return;
    const seeds = Array.from({ length: Math.min(SHARE_SEEDS, end - next) }, () => next++);
    return { seeds, runs: options.runs, mutant: options.mutant };
  };
  const work = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const worker = new Worker(new URL('./pool-worker.ts', import.meta.url), {
        resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
      });
      const go = () => {
        const share = take();
        if (share) worker.postMessage(share);
        else void worker.terminate().then(() => resolve());
      };
      worker.on('error', reject);
      worker.on('message', (results: Simulated[]) => {
        for (const result of results) if (!options.done(result)) enough = true;
        go();
      });
      go();
    });
  await Promise.all(Array.from({ length: options.workers ?? availableParallelism() }, work));
}
