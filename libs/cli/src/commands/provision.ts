/** `tutti provision`: the streams, buckets and settings of a bus, made or checked by a job of its own before services start. */
import { TuttiError } from '@tutti/contracts';
import {
  type Bus,
  checkProvisioned,
  connectNatsBus,
  createLogger,
  parseConfig,
  provision,
  RuntimeConfig,
} from '@tutti/runtime';
import { EXIT } from '../report.ts';
import { dim, plural } from '../style.ts';

const RETRY_MS = 500;

export interface ProvisionCommandOptions {
  check?: boolean;
  /** Seconds. */
  wait?: number;
}

/** Exit code 1: refused, or (`--check`) not as it should be. */
export async function provisionCommand(options: ProvisionCommandOptions): Promise<number> {
  const runtime = parseConfig(RuntimeConfig, process.env, 'tutti provision');
  const wanted = {
    partitions: runtime.TUTTI_PARTITIONS,
    logStreams: runtime.TUTTI_LOG_STREAMS,
    replicas: runtime.TUTTI_NATS_REPLICAS,
  };
  const waitMs = (options.wait ?? 0) * 1_000;
  const bus = await connectWithin(runtime, waitMs);
  try {
    if (options.check) {
      const differences = await checkProvisioned(bus, wanted);
      for (const line of differences) console.log(line);
      console.log(differences.length === 0 ? 'the bus is as it should be' : `${differences.length} to be provisioned`);
      return differences.length === 0 ? EXIT.ok : EXIT.failed;
    }
    const partitions = await provision(bus, { ...wanted, waitMs, tell: (line) => console.log(dim(`  ${line}`)) });
    console.log(`the bus is ready: ${plural(partitions, 'partition')}`);
    return EXIT.ok;
  } finally {
    await bus.close();
  }
}

async function connectWithin(runtime: RuntimeConfig, waitMs: number): Promise<Bus> {
  const until = performance.now() + waitMs;
  const { NATS_URL: url, TUTTI_NATS_USER: user, TUTTI_NATS_PASSWORD: password = '' } = runtime;
  const log = createLogger({}, { level: runtime.TUTTI_LOG_LEVEL });
  for (;;) {
    try {
      return await connectNatsBus({
        url,
        name: 'provision',
        log,
        ...(user ? { credentials: { user, password } } : {}),
      });
    } catch (error) {
      const passes = error instanceof TuttiError && error.code === 'unavailable';
      if (!passes || performance.now() + RETRY_MS > until) throw error;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}
