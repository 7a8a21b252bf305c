/** A thread of the pool: runs the seeds that it is given, one after the other. */
import { parentPort } from 'node:worker_threads';
import { MUTANTS } from './mutants.ts';
import type { Share } from './pool.ts';
import { type Simulated, simulate } from './simulate.ts';

/** A promise that nobody listened to would end a real process. */
let unhandled: unknown[] = [];
process.on('unhandledRejection', (error) => unhandled.push(error));

parentPort!.on('message', async ({ seeds, runs, mutant }: Share) => {
  const results: Simulated[] = [];
  for (const seed of seeds) {
    unhandled = [];
    const result = await simulate({
      seed,
      ...(runs === undefined ? {} : { runs }),
      ...(mutant ? { mutant: MUTANTS[mutant]!.plant } : {}),
    });
    for (const error of unhandled)
      result.problems.push({ checker: 'errors', problem: `nobody took ${(error as Error).stack ?? error}` });
    results.push(result);
  }
  parentPort!.postMessage(results);
});
