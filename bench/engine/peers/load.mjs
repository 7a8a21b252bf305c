/** The same load for every peer, in the peer's own process: so many runs at once, for so long; told by messages. */

const percentile = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;

async function load(runOnce, { concurrency, warmUpMs, measureMs }) {
  const times = [];
  let state = 'warming';
  const loops = Array.from({ length: concurrency }, async () => {
    while (state !== 'over') {
      const startedAt = performance.now();
      await runOnce();
      if (state === 'measuring') times.push(performance.now() - startedAt);
      // A peer that never waits for anything would keep the timers below from coming due.
      await new Promise((resolve) => setImmediate(resolve));
    }
  });
  await new Promise((resolve) => setTimeout(resolve, warmUpMs));
  process.send({ type: 'measuring' });
  const startedAt = performance.now();
  state = 'measuring';
  await new Promise((resolve) => setTimeout(resolve, measureMs));
  state = 'over';
  const elapsedMs = performance.now() - startedAt;
  const runs = times.length;
  await Promise.all(loops);
  times.sort((a, b) => a - b);
  return { runs, elapsedMs, p50Ms: percentile(times, 0.5), p99Ms: percentile(times, 0.99) };
}

/** `runOnce` does the job once and throws when the answer is another one than it should be. */
export function serve(runOnce) {
  process.on('message', (order) => {
    load(runOnce, order).then(
      (result) => process.send({ type: 'result', ...result }),
      (error) => {
        process.stderr.write(`${error.stack}\n`);
        process.exit(1);
      },
    );
  });
  process.once('SIGTERM', () => process.exit(0));
  process.once('disconnect', () => process.exit(0));
  process.send({ type: 'ready' });
}

/** The job's fixed parts, as in ../job.ts. */
export const GOAL = 'What do three nights at 189 cost together with the flight at 412?';
export const ANSWER = 'The trip costs 979 in all [1].';
export const INSTRUCTIONS = 'Answer from the passages. Use the calculator for every sum.';
export const EXPRESSION = '412 + 3 * 189';
export const gather = async () => ({
  turns: [],
  passages: ['A night in the hotel is 189. The flight there and back is 412.'],
});
export const calculate = async (expression) => JSON.stringify({ expression, result: 412 + 3 * 189 });
export const remember = async (_turn) => {};
export function check(answer) {
  if (answer !== ANSWER) throw new Error(`the answer is ${JSON.stringify(answer)}`);
}
