/** What the command line of `npm run bench -- engine` may say, and every number that a measurement rests on. */
import { parseArgs } from 'node:util';

export const MODES = ['default', 'fsync', 'cluster'] as const;
export type Mode = (typeof MODES)[number];
export const PEERS = ['openai-agents', 'langgraph-sqlite'] as const;
export type PeerName = (typeof PEERS)[number];

export const SETTLE_CONCURRENCY = 64;

export interface Options {
  modes: Mode[];
  peers: PeerName[];
  concurrencies: number[];
  repetitions: number;
  /** Before the first measurement of a stack or peer, at `SETTLE_CONCURRENCY`: the engine's and the peers' code is compiled as it gets hot. */
  settleMs: number;
  /** Before each repetition. */
  warmUpMs: number;
  measureMs: number;
  partitions: number | undefined;
  /** Folder for CPU profiles of every Node process; undefined: none are taken. */
  profiles: string | undefined;
  tracing: boolean;
}

export const HELP = `npm run bench -- engine [options]
  --quick              one short repetition each: for a first look, not for figures
  --modes LIST         of ${MODES.join(', ')} (all)
  --peers LIST         of ${PEERS.join(', ')} (all); "none" for none
  --concurrency LIST   runs at once (1,64,512)
  --seconds N          measured time of one repetition (5)
  --repetitions N      the median counts (3)
  --partitions N       of the planner (its default)
  --profiles FOLDER    take a CPU profile of every Node process
  --no-tracing         without OpenTelemetry, to see what it costs
`;

function listOf<T extends string>(value: string, known: readonly T[]): T[] {
  const wanted = value === 'none' || value === '' ? [] : value.split(',');
  const wrong = wanted.filter((item) => !known.includes(item as T));
  if (wrong.length > 0) throw new Error(`unknown: ${wrong.join(', ')}; known: ${known.join(', ')}`);
  return wanted as T[];
}

export function parseOptions(args: string[]): Options | 'help' {
  const { values } = parseArgs({
    args,
    options: {
      help: { type: 'boolean', short: 'h' },
      quick: { type: 'boolean', default: false },
      modes: { type: 'string', default: MODES.join(',') },
      peers: { type: 'string', default: PEERS.join(',') },
      concurrency: { type: 'string', default: '1,64,512' },
      seconds: { type: 'string' },
      repetitions: { type: 'string' },
      partitions: { type: 'string' },
      profiles: { type: 'string' },
      'no-tracing': { type: 'boolean', default: false },
    },
  });
  if (values.help) return 'help';
  const { quick } = values;
  const concurrencies = values.concurrency.split(',').map(Number);
  if (!concurrencies.every((count) => Number.isInteger(count) && count > 0 && count <= 10_000))
    throw new Error('--concurrency takes whole numbers from 1 to 10000');
  return {
    modes: listOf(values.modes, MODES),
    peers: listOf(values.peers, PEERS),
    concurrencies,
    repetitions: Number(values.repetitions ?? (quick ? 1 : 3)),
    settleMs: quick ? 0 : 25_000,
    warmUpMs: quick ? 1_500 : 4_000,
    measureMs: Number(values.seconds ?? (quick ? 2 : 5)) * 1_000,
    partitions: values.partitions === undefined ? undefined : Number(values.partitions),
    profiles: values.profiles,
    tracing: !values['no-tracing'],
  };
}
