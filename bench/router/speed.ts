/** Latency and requests a second of one way to the instant provider. */
import { atOnce, post, type Target } from './client.ts';

export interface Speed {
  concurrency: number;
  stream: boolean;
  p50: number;
  p99: number;
  requestsPerSecond: number;
}

/** More is no measurement. */
const FAILED_SHARE_MAX = 0.01;
const messages = [{ role: 'user', content: 'What is the capital of Portugal? Answer in one word.' }];

export async function measureSpeed(
  target: Target,
  concurrency: number,
  stream: boolean,
  measureMs: number,
  warmUpMs: number,
): Promise<Speed> {
  const body = { messages, ...(stream ? { stream: true, stream_options: { include_usage: true } } : {}) };
  const run = async (ms: number) => {
    const times: number[] = [];
    let failed = 0;
    let problem = '';
    const startedAt = performance.now();
    await atOnce(concurrency, async () => {
      const sentAt = performance.now();
      const { status, body: said } = await post(target, body);
      if (status !== 200 || !said.includes('eight')) {
        failed += 1;
        problem = `${status} ${said.slice(0, 500)}`;
        return performance.now() - startedAt < ms;
      }
      times.push(performance.now() - sentAt);
      return performance.now() - startedAt < ms;
    });
    if (failed > times.length * FAILED_SHARE_MAX) throw new Error(`${target.name} failed ${failed} times: ${problem}`);
    return { times: times.sort((a, b) => a - b), elapsedMs: performance.now() - startedAt };
  };
  await run(warmUpMs);
  const { times, elapsedMs } = await run(measureMs);
  const at = (share: number) => times[Math.min(times.length - 1, Math.floor(times.length * share))]!;
  return { concurrency, stream, p50: at(0.5), p99: at(0.99), requestsPerSecond: (times.length * 1_000) / elapsedMs };
}
