/**
 * The kill matrix: a call of each effect kind is stopped at a point, a process is killed with SIGKILL, everything goes
 * on, and the target is asked what was really done. The calls of all kinds are stopped together and share one kill.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { EffectKind } from '@tutti/contracts';
import { until } from '@tutti/testkit';
import { exists, holdAt, KINDS, type Point, type Victim, Watcher } from './points.ts';
import { startWorld, type World } from './world.ts';

export interface Cell {
  kind: EffectKind;
  point: Point;
  victim: Victim;
  /** Times that the target did it. */
  effects: number;
  /** Times that a human was asked whether to repeat what may have happened. */
  asked: number;
  /** What is wrong with it. */
  wrong: string | undefined;
  /** From the kill to the end of the run. */
  seconds: number;
}

export interface Report {
  cells: Cell[];
  folder: string | undefined;
}

/** A victim is down for so long. */
const DOWN_MS = 400;
const REACH_MS = 30_000;
const END_MS = 90_000;
const POLL_MS = 100;
const UNKNOWN_POLICY = 'tutti.effect-unknown';
const ENDED = ['completed', 'failed', 'cancelled'];

/**
 * A human is needed where the one who knew is dead and nobody can be asked what it did: only for what is irreversible,
 * between the intent and the record of its outcome, when tools or the target die.
 */
export function mayAsk(kind: EffectKind, point: Point, victim: Victim): boolean {
  if (kind !== 'irreversible') return false;
  if (victim === 'tools') return point === 'after intent' || point === 'after dispatch' || point === 'after effect';
  return victim === 'target' && (point === 'after dispatch' || point === 'after effect');
}

export async function killMatrix(options: {
  pairs: readonly (readonly [Point, Victim])[];
  log(line: string): void;
}): Promise<Report> {
  const watcher = new Watcher();
  const world = await startWorld(watcher.watch);
  const cells: Cell[] = [];
  let clean = false;
  try {
    for (const [point, victim] of options.pairs) {
      const made = await killAt(world, watcher, point, victim);
      cells.push(...made);
      for (const cell of made) options.log(line(cell));
    }
    clean = cells.every(({ wrong }) => wrong === undefined);
    return { cells, folder: clean ? undefined : world.fleet.folder };
  } finally {
    await world.stop(!clean);
  }
}

interface Started {
  kind: EffectKind;
  what: string;
  id: string;
}

async function killAt(world: World, watcher: Watcher, point: Point, victim: Victim): Promise<Cell[]> {
  const kinds = KINDS.filter((kind) => exists(kind, point));
  const label = `${point}-${victim}`.replaceAll(' ', '-');
  watcher.begin(point);
  world.target.hold(holdAt(point));
  const runs = await Promise.all(
    kinds.map(async (kind): Promise<Started> => {
      const what = `${label}-${kind}`;
      const { id } = await until(`the run of ${what} to be taken`, () =>
        world.call<{ id: string }>('POST', '/v1/runs', { agent: 'clerk', input: `call ${kind} ${what}` }),
      );
      return { kind, what, id };
    }),
  );
  const ends = Promise.all(runs.map((run) => follow(world, run)));
  const reached = await until(
    `all calls to be at the point`,
    () => kinds.every((kind) => watcher.stopped.has(kind) || world.target.stopped.some((it) => it.kind === kind)),
    REACH_MS,
  ).then(
    () => true,
    () => false,
  );
  const killedAt = performance.now();
  await kill(world, watcher, victim);
  const ended = await ends;
  return runs.map((run, index) => judge(world, run, ended[index]!, { point, victim, reached, killedAt }));
}

async function kill(world: World, watcher: Watcher, victim: Victim): Promise<void> {
  const { fleet, target } = world;
  const names =
    victim === 'planner'
      ? ['planner-1']
      : victim === 'bus'
        ? ['nats-1']
        : victim === 'tools'
          ? [...watcher.replicas]
          : [];
  await Promise.all([...names.map((name) => fleet.down(name)), victim === 'target' ? target.down() : undefined]);
  watcher.end();
  world.letGo();
  target.hold('never');
  await sleep(DOWN_MS);
  for (const name of names) fleet.up(name);
  if (victim === 'target') await target.up();
}

interface Ended {
  status: string;
  output: string | null;
  asked: number;
  at: number;
}

/** To its end; on the way a human answers what they are asked, after a look at the target. */
async function follow(world: World, run: Started): Promise<Ended> {
  const asked = new Set<string>();
  const deadline = performance.now() + END_MS + REACH_MS;
  let last = { status: 'unknown', output: null as string | null };
  while (performance.now() < deadline) {
    await sleep(POLL_MS);
    try {
      last = await world.call<typeof last>('GET', `/v1/runs/${run.id}`);
      if (ENDED.includes(last.status)) return { ...last, asked: asked.size, at: performance.now() };
      if (last.status === 'waiting') await decide(world, run, asked);
    } catch {
      // Whatever was killed is not back yet.
    }
  }
  return { ...last, asked: asked.size, at: performance.now() };
}

async function decide(world: World, run: Started, asked: Set<string>): Promise<void> {
  const path = `/v1/approvals?run=${run.id}&status=pending`;
  const { data } = await world.call<{ data: { id: string; policy: string }[] }>('GET', path);
  for (const { id, policy } of data) {
    if (policy !== UNKNOWN_POLICY) {
      await world.call('POST', `/v1/approvals/${id}`, { decision: 'approve' });
      continue;
    }
    asked.add(id);
    const happened = timesOf(world, run) > 0;
    const answer = happened ? { decision: 'deny', reason: 'it happened: it is in the books' } : { decision: 'approve' };
    await world.call('POST', `/v1/approvals/${id}`, answer);
  }
}

function timesOf(world: World, run: Started): number {
  return world.target.effects.filter(({ what }) => what === run.what).length;
}

function judge(
  world: World,
  run: Started,
  ended: Ended,
  at: { point: Point; victim: Victim; reached: boolean; killedAt: number },
): Cell {
  const { point, victim } = at;
  const effects = timesOf(world, run);
  const faults = [
    ...(at.reached ? [] : ['the point was not reached']),
    ...(ended.status === 'completed' && ended.output?.includes(`done ${run.what}`)
      ? []
      : [`the run is ${ended.status}: ${ended.output}`]),
    ...(run.kind === 'pure' || effects === 1 ? [] : [`done ${effects} times`]),
    ...(run.kind === 'pure' && effects === 0 ? ['never done'] : []),
    ...(ended.asked === 0 || (ended.asked === 1 && mayAsk(run.kind, point, victim))
      ? []
      : [`asked ${ended.asked} times`]),
  ];
  return {
    kind: run.kind,
    point,
    victim,
    effects,
    asked: ended.asked,
    wrong: faults.length > 0 ? `${faults.join('; ')} (${run.id})` : undefined,
    seconds: (ended.at - at.killedAt) / 1_000,
  };
}

function line({ kind, point, victim, effects, asked, wrong, seconds }: Cell): string {
  const where = `${point.padEnd(14)} ${victim.padEnd(8)} ${kind.padEnd(12)}`;
  return `${where} effects ${effects}  asked ${asked}  ${seconds.toFixed(1).padStart(5)} s${wrong ? `  WRONG: ${wrong}` : ''}`;
}

/** A pure call changes nothing, however often it is made: it counts for no effect. */
export function summary(cells: readonly Cell[]): string {
  const effects = cells.reduce((sum, cell) => sum + (cell.kind === 'pure' ? 0 : cell.effects), 0);
  const asked = cells.reduce((sum, cell) => sum + cell.asked, 0);
  return `effects ${effects}, asked ${asked}, wrong ${cells.filter(({ wrong }) => wrong).length}`;
}
