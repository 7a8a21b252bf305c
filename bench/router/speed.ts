/** Latency and requests a second of one way to the instant provider. */
import { atOnce, post, type Target } from './client.ts';

export interface Speed {
  concurrency: number;
  stream: boolean;
  p50: number;
  p99: number;
  requestsPerSecond: number;
}

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
    const startedAt = performance.now();
    await atOnce(concurrency, async () => {
      const sentAt = performance.now();
      const { status, body: said } = await post(target, body);
      if (status !== 200 || !said.includes('eight'))
        throw new Error(`${target.name} answered ${status}: ${said.slice(0, 500)}`);
      times.push(performance.now() - sentAt);
      return performance.now() - startedAt < ms;
    });
    return { times: times.sort((a, b) => a - b), elapsedMs: performance.now() - startedAt };
  };
  await run(warmUpMs);
  const { times, elapsedMs } = await run(measureMs);
  const at = (share: number) => times[Math.min(times.length - 1, Math.floor(times.length * share))]!;
  return { concurrency, stream, p50: at(0.5), p99: at(0.99), requestsPerSecond: (times.length * 1_000) / elapsedMs };
}
