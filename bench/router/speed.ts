/** Latency, requests a second and CPU of one way to the instant provider. */
import { cpuSeconds } from '../engine/processes.ts';
import { atOnce, post, type Target } from './client.ts';

export interface Speed {
  concurrency: number;
  stream: boolean;
  p50: number;
  p99: number;
  requestsPerSecond: number;
  /** CPU seconds of each process for 1,000 requests. */
  cpu: { name: string; seconds: number }[];
}

export interface Subject {
  target: Target;
  processes: { name: string; pid: number }[];
}

/** More is no measurement. */
const FAILED_SHARE_MAX = 0.01;
const messages = [{ role: 'user', content: 'What is the capital of Portugal? Answer in one word.' }];

export async function measureSpeed(
  { target, processes }: Subject,
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
  const before = processes.map(({ pid }) => cpuSeconds(pid));
  const { times, elapsedMs } = await run(measureMs);
  const cpu = processes.map(({ name, pid }, index) => ({
    name,
    seconds: ((cpuSeconds(pid) - before[index]!) * 1_000) / times.length,
  }));
  const at = (share: number) => times[Math.min(times.length - 1, Math.floor(times.length * share))]!;
  const requestsPerSecond = (times.length * 1_000) / elapsedMs;
  return { concurrency, stream, p50: at(0.5), p99: at(0.99), requestsPerSecond, cpu };
}
