/** Asks a nats-server binary for its version, by running it: the only proof that it works on this machine. */
import { setTimeout as sleep } from 'node:timers/promises';
import { FETCH_LIMITS } from './limits.ts';
import type { Environment } from './pinned.ts';
import { runCommand } from './run-command.ts';

export type VersionProbe = { version: string; failure?: undefined } | { version?: undefined; failure: string };

export async function probeVersion(path: string, env: Environment): Promise<VersionProbe> {
  for (let attempt = 1; ; attempt += 1) {
    const result = await runCommand(path, ['--version'], { timeoutMs: FETCH_LIMITS.versionProbeTimeoutMs, env });
    if (result.startError === 'ETXTBSY' && attempt < FETCH_LIMITS.versionProbeAttemptsMax) {
      await sleep(FETCH_LIMITS.versionProbeRetryMs);
      continue;
    }
    if (result.failure) return { failure: `${path} --version ${result.failure}` };
    const version = /nats-server:\s*v?(\d+\.\S+)/.exec(result.stdout)?.[1];
    return version ? { version } : { failure: `${path} --version did not answer like a nats-server` };
  }
}
