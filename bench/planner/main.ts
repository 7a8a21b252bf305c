/** `npm run bench -- planner`: what it costs a partition to change hands, and what runs cost that only wait. */
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { count, machine, table } from '../engine/report.ts';
import { measureHandOver, type Turn } from './handover.ts';
import { measureParked, type Parked } from './parked.ts';

const HELP = `npm run bench -- planner [options]
  --runs N          active runs of the partition that changes hands (10000)
  --parked N        runs that are parked (100000)
  --only PART       takeover, drain or parked (all three)
  --profiles FOLDER CPU profiles of the planners that take over
`;
const { values } = parseArgs({
  options: {
    help: { type: 'boolean', short: 'h' },
    runs: { type: 'string', default: '10000' },
    parked: { type: 'string', default: '100000' },
    only: { type: 'string' },
    profiles: { type: 'string' },
  },
});
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
const { profiles } = values;
const wants = (part: string) => values.only === undefined || values.only === part;
/** The drain of planners that are not full: so many partitions with so many runs, half of them on each of two planners. */
const DRAIN = { partitions: 4, runs: 200 } as const;

const say = (text: string) => process.stdout.write(`${text}\n`);
const round = (value: number) => Math.round(value);
const load = () => `load average ${loadavg()[0]!.toFixed(1)}`;

function handOverTable(turns: Turn[]): string {
  return table(
    ['the owner', 'signal to first input, ms', 'lease to first input, ms', 'CPU of the new owner, ms', 'MiB'],
    turns.map((turn) => [
      turn.how === 'SIGKILL' ? 'is killed' : 'drains',
      count(turn.signalToInput),
      count(turn.leaseToInput),
      count(turn.cpuMs),
      count(turn.residentMiB),
    ]),
  );
}

const brief = (turns: Turn[]) =>
  turns.map(({ how, signalToInput, leaseToInput, cpuMs }) => ({
    how,
    signalToInputMs: round(signalToInput),
    leaseToInputMs: round(leaseToInput),
    cpuMs: round(cpuMs),
  }));

function parkedTable(parked: Parked): string {
  const mib = (value: number) => `${count(value)} MiB`;
  return table(
    ['', 'value'],
    [
      ['planner with nothing', mib(parked.emptyMiB)],
      [`planner that took ${count(parked.runs)} parked runs over`, mib(parked.parkedMiB)],
      ['which took', `${count(parked.takeOverMs)} ms`],
      [
        `CPU in ${parked.idleSeconds} s, with them / with none`,
        `${parked.idleCpu.toFixed(2)} / ${parked.idleCpuEmpty.toFixed(2)} s`,
      ],
      ['log messages meanwhile', count(parked.idleLogMessages)],
      ['their states on the bus', mib(parked.statesMiB)],
      ['the checkpoint', mib(parked.checkpointMiB)],
      ['their log, which may go', mib(parked.logMiB)],
      ['a decision until the end of its run', `${count(parked.wakeMs)} ms`],
    ],
  );
}

say(machine());
const result: Record<string, unknown> = {};
if (wants('takeover')) {
  const turns = ['SIGKILL', 'SIGTERM', 'SIGKILL', 'SIGTERM'] as const;
  const runs = Number(values.runs);
  const measured = await measureHandOver({ runs, partitions: 1, turns: [...turns], profiles });
  say(`\n## A partition with ${count(runs)} active runs (${load()})\n\n${handOverTable(measured)}`);
  result.takeover = brief(measured);
}
if (wants('drain')) {
  const turns = Array.from({ length: 6 }, () => 'SIGTERM' as const);
  const measured = await measureHandOver({ ...DRAIN, turns, profiles });
  say(
    `\n## Two of ${DRAIN.partitions} partitions, ${DRAIN.runs} active runs in all (${load()})\n\n${handOverTable(measured)}`,
  );
  result.drain = brief(measured);
}
if (wants('parked')) {
  const parked = await measureParked(Number(values.parked), profiles);
  say(`\n## ${count(parked.runs)} parked runs (${load()})\n\n${parkedTable(parked)}`);
  result.parked = parked;
}
say(`RESULT ${JSON.stringify(result)}`);
