/** `npm run bench -- engine`: measures the run engine in three modes, then its peers, and prints tables and one RESULT line. */
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Measurement, measure, settle } from './measure.ts';
import { HELP, type Mode, type Options, parseOptions } from './options.ts';
import { type PeerMeasurement, preparePeers, runPeer } from './peers.ts';
import { costTable, machine, peerTable, resultLine, speedTable } from './report.ts';
import { startStack } from './stack.ts';

async function measureMode(mode: Mode, options: Options): Promise<Measurement[]> {
  const profiles = options.profiles && join(resolve(options.profiles), mode);
  if (profiles) mkdirSync(profiles, { recursive: true });
  const { tracing, partitions } = options;
  const stack = await startStack({ mode, tracing, partitions, profiles });
  try {
    await settle(stack, options.settleMs);
    const measured: Measurement[] = [];
    // Being alone is a question for the default mode; the others are about throughput.
    const concurrencies = options.concurrencies.filter((count) => count > 1 || mode === 'default');
    for (const concurrency of concurrencies) {
      process.stderr.write(`${mode}, ${concurrency} at once …\n`);
      measured.push(await measure(stack, concurrency, options));
    }
    return measured;
  } finally {
    await stack.stop();
  }
}

const options = parseOptions(process.argv.slice(2));
if (options === 'help') {
  process.stdout.write(HELP);
  process.exit(0);
}
console.log(machine());
const modes = new Map<Mode, Measurement[]>();
for (const mode of options.modes) {
  const measured = await measureMode(mode, options);
  modes.set(mode, measured);
  console.log(`\n${mode}\n${speedTable(measured)}\n\n${costTable(measured)}`);
}
const peers: PeerMeasurement[] = [];
if (options.peers.length > 0) {
  preparePeers();
  for (const peer of options.peers) {
    process.stderr.write(`${peer} …\n`);
    peers.push(await runPeer(peer, options));
  }
  console.log(`\npeers\n${peerTable(peers, modes.get('default'))}`);
}
console.log(`\n${resultLine(modes, peers)}`);
