/** Measures one stack at one concurrency: several repetitions, of each figure the median. */
import type { LoadOrder, LoadResult } from './load.ts';
import { type Options, SETTLE_CONCURRENCY } from './options.ts';
import { cpuSeconds, messageFrom, peakMiB, resetPeak } from './processes.ts';
import type { Stack } from './stack.ts';

export interface ProcessCost {
  name: string;
  /** CPU seconds for a thousand runs. */
  cpuPerThousand: number;
  peakMiB: number;
}

export interface Measurement {
  concurrency: number;
  runsPerSecond: number;
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
  asked: number;
  costs: ProcessCost[];
}

export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Lets the code of all processes get hot before the first measurement. */
export async function settle(stack: Stack, settleMs: number): Promise<void> {
  if (settleMs === 0) return;
  const done = messageFrom(stack.load, 'result');
  const order: LoadOrder = { type: 'load', concurrency: SETTLE_CONCURRENCY, warmUpMs: settleMs, measureMs: 1 };
  stack.load.child.send(order);
  await done;
}

export async function measure(stack: Stack, concurrency: number, options: Options): Promise<Measurement> {
  const results: Measurement[] = [];
  for (let repetition = 0; repetition < options.repetitions; repetition++)
    results.push(await once(stack, concurrency, options));
  const of = (pick: (result: Measurement) => number) => median(results.map(pick));
  return {
    concurrency,
    runsPerSecond: of((result) => result.runsPerSecond),
    p50Ms: of((result) => result.p50Ms),
    p99Ms: of((result) => result.p99Ms),
    maxMs: of((result) => result.maxMs),
    asked: Math.max(...results.map((result) => result.asked)),
    costs: results[0]!.costs.map(({ name }, index) => ({
      name,
      cpuPerThousand: of((result) => result.costs[index]!.cpuPerThousand),
      peakMiB: Math.max(...results.map((result) => result.costs[index]!.peakMiB)),
    })),
  };
}

async function once(stack: Stack, concurrency: number, options: Options): Promise<Measurement> {
  const processes = [
    ...stack.engine,
    { name: 'load', pid: stack.load.pid },
    ...(stack.sink ? [{ name: 'otel sink', pid: stack.sink.pid }] : []),
  ];
  const order: LoadOrder = { type: 'load', concurrency, warmUpMs: options.warmUpMs, measureMs: options.measureMs };
  const measuring = messageFrom(stack.load, 'measuring');
  const measured = messageFrom(stack.load, 'measured');
  const done = messageFrom<LoadResult>(stack.load, 'result');
  stack.load.child.send(order);
  await measuring;
  for (const { pid } of processes) resetPeak(pid);
  const before = processes.map(({ pid }) => cpuSeconds(pid));
  await measured;
  const after = processes.map(({ pid }) => cpuSeconds(pid));
  const result = await done;
  if (result.failed > 0) throw new Error(`${result.failed} runs did not end as they should`);
  if (result.runs === 0) throw new Error('not one run ended in the time of a repetition: give it more --seconds');
  return {
    concurrency,
    runsPerSecond: (result.runs * 1_000) / result.elapsedMs,
    p50Ms: result.p50Ms,
    p99Ms: result.p99Ms,
    maxMs: result.maxMs,
    asked: result.asked,
    costs: processes.map(({ name, pid }, index) => ({
      name,
      cpuPerThousand: ((after[index]! - before[index]!) * 1_000) / result.runs,
      peakMiB: peakMiB(pid),
    })),
  };
}
