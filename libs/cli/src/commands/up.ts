/** `tutti up`: runs until a signal, then stops everything in order. A second signal ends it at once. */
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { TuttiError } from '@tutti/contracts';
import { EXAMPLE_BUNDLE } from '../paths.ts';
import { EXIT } from '../report.ts';
import { dim } from '../style.ts';
import { banner } from '../up/banner.ts';
import { UP_LIMITS } from '../up/limits.ts';
import { type RunningTutti, up } from '../up/up.ts';

const INTERRUPTED = 130;

/** Resolves with the exit code. */
export async function upCommand(dir: string | undefined): Promise<number> {
  const say = (line: string) => console.log(dim(`  ${line}`));
  const signal = onStopSignal();
  let tutti: RunningTutti;
  try {
    tutti = await up({ dir: dir ?? defaultBundle(), env: { ...process.env }, say, signal });
  } catch (error) {
    if (signal.aborted && error instanceof TuttiError && error.code === 'cancelled') return EXIT.ok;
    throw error;
  }
  console.log(banner(tutti.overview));
  const lost = await Promise.race([aborted(signal), tutti.lost]);
  if (lost !== undefined) console.error(`tutti: ${lost}`);
  say('Stopping …');
  const overdue = setTimeout(() => {
    console.error(`tutti: not stopped within ${UP_LIMITS.stopTimeoutMs} ms; ending anyway`);
    process.exit(1);
  }, UP_LIMITS.stopTimeoutMs);
  await tutti.stop();
  clearTimeout(overdue);
  say('Stopped.');
  return lost === undefined ? EXIT.ok : EXIT.failed;
}

function defaultBundle(): string {
  return existsSync('tutti.yaml') ? '.' : EXAMPLE_BUNDLE;
}

/** Aborted by the first signal. */
function onStopSignal(): AbortSignal {
  const controller = new AbortController();
  let firstAt: number | undefined;
  const onSignal = () => {
    const now = performance.now();
    if (firstAt !== undefined && now - firstAt > UP_LIMITS.secondSignalAfterMs) process.exit(INTERRUPTED);
    firstAt ??= now;
    controller.abort();
  };
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, onSignal);
  // bin/tutti.js stands between us and whoever started us, and has ended
  if (process.env.TUTTI_PARENT_CHANNEL) process.on('disconnect', onSignal);
  return controller.signal;
}

async function aborted(signal: AbortSignal): Promise<undefined> {
  if (!signal.aborted) await once(signal, 'abort');
}
