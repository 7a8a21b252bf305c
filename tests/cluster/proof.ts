/** Load through a gateway while things are done to what is behind it, phase by phase; in the end, a verdict and how long runs took. */
import { setTimeout as sleep } from 'node:timers/promises';
import { random } from '../crash/crash.ts';
import { judge, type Verdict } from '../crash/judge.ts';
import { type Load, type Started, startLoad } from '../crash/load.ts';
import { crashBundle, type Outside } from '../crash/outside.ts';

const QUIET_MS = 3_000;

export interface Phase {
  name: string;
  startedAt: number;
  endedAt: number;
}

export interface ProofReport {
  runs: number;
  completed: number;
  seconds: number;
  phases: { name: string; seconds: number; runs: number; p50Ms: number; longestMs: number }[];
  /** The runs that took longest. */
  slowest: string[];
  verdict: Verdict;
}

const SLOWEST = 5;

export class Proof {
  readonly #urls: string[];
  readonly #outside: Outside;
  readonly #log: (line: string) => void;
  readonly #seed: number;
  readonly #loads: Load[] = [];
  readonly #phases: Phase[] = [];
  readonly #startedAt = Date.now();

  constructor(options: { urls: string[]; outside: Outside; seed: number; log(line: string): void }) {
    this.#urls = options.urls;
    this.#outside = options.outside;
    this.#seed = options.seed;
    this.#log = options.log;
  }

  async apply(): Promise<void> {
    const response = await fetch(`${this.#urls[0]}/v1/bundles`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(crashBundle(this.#outside.shopUrl)),
    });
    if (!response.ok) throw new Error(`the bundle was not taken: ${await response.text()}`);
  }

  /** Clients at once, until `finish` of what is returned. */
  load(atOnce: number): Load {
    const number = this.#loads.length;
    const chance = random(this.#seed + number + 1);
    const load = startLoad({ urls: this.#urls, atOnce, chance, name: number === 0 ? '' : `${number}x` });
    this.#loads.push(load);
    return load;
  }

  get #runs(): Started[] {
    return this.#loads.flatMap(({ runs }) => runs);
  }

  async phase(name: string, work: () => Promise<void>): Promise<void> {
    const startedAt = Date.now();
    this.#log(`${name} …`);
    await work();
    // Until what it has brought about is over.
    await sleep(QUIET_MS);
    this.#phases.push({ name, startedAt, endedAt: Date.now() });
    const ended = this.#runs.filter((run) => run.endedAt !== undefined).length;
    const seconds = ((Date.now() - startedAt) / 1_000).toFixed(1);
    this.#log(`${name}: ${seconds} s (${ended} of ${this.#runs.length} runs ended)`);
  }

  async finish(timeoutMs: number): Promise<ProofReport> {
    this.#log('waiting for what is under way');
    await Promise.all(this.#loads.map((load) => load.finish(timeoutMs)));
    const seconds = (Date.now() - this.#startedAt) / 1_000;
    this.#log('judging');
    const all: Load = {
      runs: this.#runs,
      refused: this.#loads.flatMap(({ refused }) => refused),
      finish: async () => {},
    };
    const verdict = await judge(this.#urls[0]!, all, this.#outside.effects);
    return {
      runs: all.runs.length,
      completed: all.runs.filter(({ status }) => status === 'completed').length,
      seconds,
      phases: this.#phases.map((phase) => ({
        name: phase.name,
        seconds: (phase.endedAt - phase.startedAt) / 1_000,
        ...waits(phase, all.runs),
      })),
      slowest: all.runs
        .toSorted((a, b) => tookMs(b) - tookMs(a))
        .slice(0, SLOWEST)
        .map((run) => this.#about(run)),
      verdict,
    };
  }

  #about(run: Started): string {
    const begun = ((run.startedAt - this.#startedAt) / 1_000).toFixed(1);
    return `${run.id} (${run.kind} ${run.what}): ${(tookMs(run) / 1_000).toFixed(1)} s, begun at ${begun} s of load`;
  }
}

function tookMs(run: Started): number {
  return (run.endedAt ?? Date.now()) - run.startedAt;
}

/** Of the runs that were under way at any moment of the phase: from asking for a run to having seen its end. */
function waits({ startedAt, endedAt }: Phase, runs: Started[]): { runs: number; p50Ms: number; longestMs: number } {
  const took = runs
    .filter((run) => run.startedAt <= endedAt && (run.endedAt ?? Number.POSITIVE_INFINITY) >= startedAt)
    .map(tookMs)
    .sort((a, b) => a - b);
  return { runs: took.length, p50Ms: took[Math.floor(took.length / 2)] ?? 0, longestMs: took.at(-1) ?? 0 };
}

export function phaseTable(report: ProofReport): string {
  const s = (ms: number) => `${(ms / 1_000).toFixed(1)} s`;
  const rows = report.phases.map(
    ({ name, seconds, runs, p50Ms, longestMs }) =>
      `| ${name} | ${seconds.toFixed(0)} s | ${runs} | ${s(p50Ms)} | ${s(longestMs)} |`,
  );
  return ['| what was done meanwhile | took | runs | p50 | longest |', '| --- | --- | --- | --- | --- |', ...rows].join(
    '\n',
  );
}
