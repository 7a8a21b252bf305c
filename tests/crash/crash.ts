/** A crash test from start to verdict: load on a fleet, kills at random by a seed, and judgement from outside. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Fleet, LEASE_MS, type Role } from './fleet.ts';
import { journalOf, judge, type Verdict } from './judge.ts';
import { type Started, startLoad } from './load.ts';
import { crashBundle, type Outside, startOutside } from './outside.ts';

export interface CrashOptions {
  kills: number;
  seed: number;
  cluster: boolean;
  fsync: boolean;
  atOnce: number;
  finishMs: number;
  /** Data and logs stay although all went well. */
  keep?: boolean;
  log(line: string): void;
}

interface Fault {
  name: string;
  /** As often as this, against the others. */
  weight: number;
  role: Role;
  how: 'kill' | 'stall' | 'cut';
}

const FAULTS: readonly Fault[] = [
  { name: 'SIGKILL planner', weight: 4, role: 'planner', how: 'kill' },
  { name: 'SIGKILL tools', weight: 4, role: 'tools', how: 'kill' },
  { name: 'SIGKILL router', weight: 2, role: 'router', how: 'kill' },
  { name: 'SIGKILL memory', weight: 2, role: 'memory', how: 'kill' },
  { name: 'SIGKILL retriever', weight: 1, role: 'retriever', how: 'kill' },
  { name: 'SIGKILL gateway', weight: 2, role: 'gateway', how: 'kill' },
  { name: 'SIGKILL nats-server', weight: 3, role: 'nats', how: 'kill' },
  { name: 'SIGSTOP planner, longer than its lease', weight: 2, role: 'planner', how: 'stall' },
  { name: 'SIGSTOP tools, longer than its silence', weight: 1, role: 'tools', how: 'stall' },
  { name: 'link of a planner cut', weight: 2, role: 'planner', how: 'cut' },
  { name: 'link of tools cut', weight: 1, role: 'tools', how: 'cut' },
];
const STALL_MS = { planner: 2.5 * LEASE_MS, tools: 4_500 } as const;
const GAP_MS = [300, 1_500] as const;
/** Of all faults, so many do not wait for the one before to be over: two things are broken at once. */
const TOGETHER = 0.25;
const TOGETHER_GAP_MS = [20, 300] as const;
/** A cluster that lost a node needs time to be whole again, or a second kill takes its quorum. */
const CLUSTER_GAP_MS = [4_000, 7_000] as const;
/** What hits tools waits so long for a call to be under way: between an effect and its outcome is where it hurts. */
const AIM_MS = 4_000;
const DOWN_MS = [100, 800] as const;

export interface CrashReport {
  runs: number;
  completed: number;
  seconds: number;
  saved: Outside['saved'];
  verdict: Verdict;
  /** By kind of fault: how often, and how long until a run that was started after it had ended, ms. */
  faults: { name: string; count: number; p50Ms: number; maxMs: number }[];
  /** The runs that took longest, with what they were and when they began, seconds from the start. */
  slowest: string[];
  folder: string | undefined;
}

/** Xorshift: a seed decides kills and load; what the processes make of it is their own. */
export function random(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

export async function crashTest(options: CrashOptions): Promise<CrashReport> {
  const chance = random(options.seed);
  const outside = await startOutside(chance);
  const env = { OPENAI_BASE_URL: outside.modelUrl, OPENAI_API_KEY: 'none', TUTTI_MODEL: 'crash' };
  const fleet = new Fleet({ env, cluster: options.cluster, fsync: options.fsync });
  // Until all is well.
  let keep = true;
  try {
    await fleet.start();
    await apply(fleet.url, outside.shopUrl);
    const startedAt = Date.now();
    const log = (line: string) =>
      options.log(`${((Date.now() - startedAt) / 1_000).toFixed(1).padStart(6)} s  ${line}`);
    // Load and kills each have their own dice, so that one does not change what the other throws.
    const load = startLoad({ urls: [fleet.url], atOnce: options.atOnce, chance: random(options.seed + 1) });
    await sleep(2_000);
    const done = await faults(fleet, outside, load.runs, { ...options, log }, random(options.seed + 2));
    log('no more kills; waiting for what is under way');
    await load.finish(options.finishMs);
    const seconds = (Date.now() - startedAt) / 1_000;
    log('judging');
    const verdict = await judge(fleet.url, load, outside.effects);
    keep = options.keep === true || !isClean({ verdict });
    const completed = load.runs.filter(({ status }) => status === 'completed').length;
    if (keep) {
      for (const line of fleet.logs()) options.log(line);
      const bad = load.runs.filter(({ id }) =>
        Object.values(verdict)
          .flat()
          .some((line) => line.includes(id)),
      );
      await keepJournals(
        fleet,
        [...bad, ...slowest(load.runs)].map(({ id }) => id),
      );
    }
    return {
      runs: load.runs.length,
      completed,
      seconds,
      saved: outside.saved,
      verdict,
      faults: recoveries(done, load.runs),
      slowest: slowest(load.runs).map((run) => aboutSlow(run, startedAt)),
      folder: keep ? fleet.folder : undefined,
    };
  } catch (error) {
    throw new Error(`the crash test itself failed; what is left of it: ${fleet.folder}`, { cause: error });
  } finally {
    await fleet.stop(keep);
    outside.close();
  }
}

async function apply(url: string, shopUrl: string): Promise<void> {
  const response = await fetch(`${url}/v1/bundles`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(crashBundle(shopUrl)),
  });
  if (!response.ok) throw new Error(`the bundle was not taken: ${await response.text()}`);
}

interface Done {
  name: string;
  at: number;
}

async function faults(
  fleet: Fleet,
  outside: Outside,
  runs: Started[],
  options: CrashOptions,
  chance: () => number,
): Promise<Done[]> {
  const between = ([least, most]: readonly [number, number]) => least + chance() * (most - least);
  const possible = FAULTS.filter(({ how }) => !options.cluster || how !== 'cut');
  const done: Done[] = [];
  const underWay: Promise<void>[] = [];
  // Each kind once first, so that a short test has seen them all.
  const order = shuffled(possible, chance);
  for (let i = 0; i < options.kills; i++) {
    const fault = order[i] ?? pick(possible, chance);
    if (fault.role === 'tools') await outside.effectUnderWay(AIM_MS);
    done.push({ name: fault.name, at: Date.now() });
    const ended = runs.filter(({ endedAt }) => endedAt !== undefined).length;
    options.log(
      `${String(i + 1).padStart(4)}/${options.kills}  ${fault.name}  (${ended} of ${runs.length} runs ended)`,
    );
    const over = inject(fleet, fault, chance, between(DOWN_MS));
    underWay.push(over);
    const breaksQuorum = options.cluster && fault.role === 'nats';
    if (!breaksQuorum && chance() < TOGETHER) {
      await sleep(between(TOGETHER_GAP_MS));
      continue;
    }
    await over;
    await sleep(between(breaksQuorum ? CLUSTER_GAP_MS : GAP_MS));
  }
  await Promise.all(underWay);
  return done;
}

function inject(fleet: Fleet, { how, role }: Fault, chance: () => number, downMs: number): Promise<void> {
  switch (how) {
    case 'kill':
      return fleet.kill(role, chance, downMs);
    case 'stall':
      return fleet.stall(role, chance, STALL_MS[role as keyof typeof STALL_MS]);
    case 'cut':
      return fleet.cut(role, chance, downMs);
    default:
      throw new Error(`unknown fault ${how satisfies never}`);
  }
}

/** Fisher and Yates. */
function shuffled<T>(list: readonly T[], chance: () => number): T[] {
  const all = [...list];
  for (let last = all.length - 1; last > 0; last--) {
    const other = Math.floor(chance() * (last + 1));
    [all[last], all[other]] = [all[other]!, all[last]!];
  }
  return all;
}

function pick(possible: readonly Fault[], chance: () => number): Fault {
  let left = chance() * possible.reduce((sum, { weight }) => sum + weight, 0);
  for (const fault of possible) {
    left -= fault.weight;
    if (left < 0) return fault;
  }
  return possible[0]!;
}

function recoveries(done: Done[], runs: Started[]): CrashReport['faults'] {
  const ends = runs.flatMap(({ startedAt, endedAt }) => (endedAt === undefined ? [] : [{ startedAt, endedAt }]));
  const byName = Map.groupBy(done, ({ name }) => name);
  return [...byName].map(([name, list]) => {
    const times = list
      .map(({ at }) => Math.min(...ends.filter(({ startedAt }) => startedAt >= at).map(({ endedAt }) => endedAt - at)))
      .filter(Number.isFinite)
      .sort((a, b) => a - b);
    return { name, count: list.length, p50Ms: times[Math.floor(times.length / 2)] ?? 0, maxMs: times.at(-1) ?? 0 };
  });
}

const SLOWEST = 5;
function slowest(runs: Started[]): Started[] {
  const took = (run: Started) => (run.endedAt ?? Date.now()) - run.startedAt;
  return [...runs].sort((a, b) => took(b) - took(a)).slice(0, SLOWEST);
}

function aboutSlow({ id, kind, startedAt, endedAt }: Started, zero: number): string {
  const seconds = (ms: number) => `${(ms / 1_000).toFixed(1)} s`;
  const took = endedAt === undefined ? 'never ended' : seconds(endedAt - startedAt);
  return `${id} (${kind}): ${took}, begun at ${seconds(startedAt - zero)}`;
}

/** For whoever looks into it afterwards. */
async function keepJournals(fleet: Fleet, runs: string[]): Promise<void> {
  const folder = join(fleet.folder, 'journals');
  await mkdir(folder, { recursive: true });
  for (const run of new Set(runs)) {
    const lines = await journalOf(fleet.url, run, true).catch((error: Error) => `${error.message}\n`);
    await writeFile(join(folder, `${run}.jsonl`), lines);
  }
}

export function table(report: CrashReport): string {
  const rows = report.faults.map(
    ({ name, count, p50Ms, maxMs }) =>
      `| ${name} | ${count} | ${(p50Ms / 1_000).toFixed(1)} s | ${(maxMs / 1_000).toFixed(1)} s |`,
  );
  return ['| fault | times | runs end again after, p50 | max |', '| --- | --- | --- | --- |', ...rows].join('\n');
}

/** The last line of a crash test; the only good one is all noughts. A journal that is not whole has lost something. */
export function summary({ verdict }: Pick<CrashReport, 'verdict'>): string {
  const { lost, twice, stuck, journals } = verdict;
  return `lost ${lost.length + journals.length}, twice ${twice.length}, stuck ${stuck.length}`;
}

export function isClean({ verdict }: Pick<CrashReport, 'verdict'>): boolean {
  return Object.values(verdict).every((list) => list.length === 0);
}
