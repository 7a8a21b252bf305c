/** What a benchmark of the engine prints: tables for people, one line for scripts. */
import { cpus, totalmem } from 'node:os';
import type { Measurement } from './measure.ts';
import type { Mode } from './options.ts';
import type { PeerMeasurement } from './peers.ts';

export function machine(): string {
  const cores = cpus();
  const day = new Date().toISOString().slice(0, 10);
  return `${day}, ${cores.length} cores (${cores[0]?.model.trim() ?? 'unknown'}), ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}`;
}

export function table(head: string[], rows: string[][]): string {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column]!.length)));
  const line = (row: string[]) => `| ${row.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`;
  return [line(head), `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...rows.map(line)].join('\n');
}

const ms = (value: number) => (value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : value.toFixed(0));
export const count = (value: number) => Math.round(value).toLocaleString('en');

export function speedTable(measured: Measurement[]): string {
  return table(
    ['runs at once', 'runs/s', 'p50 ms', 'p99 ms', 'max ms', 'end not seen live'],
    measured.map((each) => [
      String(each.concurrency),
      count(each.runsPerSecond),
      ms(each.p50Ms),
      ms(each.p99Ms),
      ms(each.maxMs),
      String(each.asked),
    ]),
  );
}

/** CPU seconds for a thousand runs and peak MiB, a line a process. */
export function costTable(measured: Measurement[]): string {
  const names = measured[0]!.costs.map(({ name }) => name);
  const cell = (each: Measurement, index: number) => {
    const cost = each.costs[index]!;
    return `${cost.cpuPerThousand.toFixed(3)} s, ${Math.round(cost.peakMiB)} MiB`;
  };
  const all = (each: Measurement) => {
    const cpu = each.costs.reduce((sum, cost) => sum + cost.cpuPerThousand, 0);
    const memory = each.costs.reduce((sum, cost) => sum + cost.peakMiB, 0);
    return `${cpu.toFixed(3)} s, ${Math.round(memory)} MiB`;
  };
  return table(
    ['CPU for 1,000 runs, peak memory', ...measured.map((each) => `${each.concurrency} at once`)],
    [
      ...names.map((name, index) => [name, ...measured.map((each) => cell(each, index))]),
      ['all', ...measured.map(all)],
    ],
  );
}

const ratio = (ours: number | undefined, theirs: number) =>
  ours === undefined ? '' : ` (${(ours / theirs).toFixed(ours / theirs < 10 ? 1 : 0)}x)`;

/** In parentheses how many times as many runs a second Tutti does in its default mode. */
export function peerTable(peers: PeerMeasurement[], ours: Measurement[] | undefined): string {
  const oursAt = (concurrency: number) => ours?.find((each) => each.concurrency === concurrency)?.runsPerSecond;
  const concurrencies = [...new Set(peers.flatMap((peer) => peer.measured.map((each) => each.concurrency)))];
  const cell = (peer: PeerMeasurement, concurrency: number) => {
    const found = peer.measured.find((each) => each.concurrency === concurrency);
    if (!found) return '';
    if (concurrency === 1) return `${ms(found.p50Ms)} / ${ms(found.p99Ms)} ms`;
    return `${count(found.runsPerSecond)}/s${ratio(oursAt(concurrency), found.runsPerSecond)}`;
  };
  return table(
    ['peer', 'what it keeps', ...concurrencies.map((c) => `${c} at once`), 'CPU for 1,000 runs', 'peak MiB'],
    peers.map((peer) => [
      `${peer.name} ${peer.version}`,
      peer.keeps,
      ...concurrencies.map((concurrency) => cell(peer, concurrency)),
      `${Math.min(...peer.measured.map((each) => each.cpuPerThousand)).toFixed(3)} s`,
      String(Math.round(Math.max(...peer.measured.map((each) => each.peakMiB)))),
    ]),
  );
}

const rounded = (value: number) => Math.round(value * 100) / 100;

export function resultLine(modes: Map<Mode, Measurement[]>, peers: PeerMeasurement[]): string {
  const speed = (each: { runsPerSecond: number; p50Ms: number; p99Ms: number }) => ({
    runsPerSecond: Math.round(each.runsPerSecond),
    p50Ms: rounded(each.p50Ms),
    p99Ms: rounded(each.p99Ms),
  });
  const byConcurrency = (list: (Parameters<typeof speed>[0] & { concurrency: number })[]) =>
    Object.fromEntries(
      list.map((each) =>
        each.concurrency === 1
          ? ['alone', { p50Ms: rounded(each.p50Ms), p99Ms: rounded(each.p99Ms) }]
          : [`c${each.concurrency}`, speed(each)],
      ),
    );
  const result: Record<string, unknown> = { ...byConcurrency(modes.get('default') ?? []) };
  for (const [mode, measured] of modes) if (mode !== 'default') result[mode] = byConcurrency(measured);
  if (peers.length > 0)
    result.peers = Object.fromEntries(peers.map((peer) => [peer.name, byConcurrency(peer.measured)]));
  return `RESULT ${JSON.stringify(result)}`;
}
