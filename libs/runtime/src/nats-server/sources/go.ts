/** Builds the pinned module version with a Go toolchain that is there. The module's hash is pinned; the sumdb guards the rest. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { FETCH_LIMITS } from '../limits.ts';
import { GO_MODULE } from '../pinned.ts';
import { withHeartbeat } from '../progress.ts';
import { runCommand } from '../run-command.ts';
import type { FetchContext, Source } from './source.ts';

export function goSource(): Source {
  return { name: 'go', title: `go install ${GO_MODULE.module}`, fetch: fetchWithGo };
}

async function fetchWithGo(context: FetchContext): Promise<string> {
  const binDir = join(context.workDir, 'bin');
  mkdirSync(binDir);
  const go = (parameters: string[], timeoutMs: number) => runGo(context, binDir, parameters, timeoutMs);
  await go(['version'], FETCH_LIMITS.goProbeTimeoutMs);
  // Go's own connect timeouts are long; this small question finds out in seconds whether its proxy can be reached.
  await go(['list', '-m', GO_MODULE.module], FETCH_LIMITS.goProbeTimeoutMs);
  context.log(`building nats-server ${GO_MODULE.version}: go install ${GO_MODULE.module} (half a minute or more)`);
  const downloaded = await go(['mod', 'download', '-json', GO_MODULE.module], FETCH_LIMITS.goDownloadTimeoutMs);
  const sum = (JSON.parse(downloaded) as { Sum?: string }).Sum;
  if (sum !== GO_MODULE.sum)
    throw new Error(`${GO_MODULE.module} has the wrong hash: ${sum}, expected ${GO_MODULE.sum}`);
  await withHeartbeat(
    context.log,
    'go install',
    go(['install', '-trimpath', GO_MODULE.module], FETCH_LIMITS.goInstallTimeoutMs),
  );
  return join(binDir, context.binary);
}

async function runGo(context: FetchContext, binDir: string, parameters: string[], timeoutMs: number): Promise<string> {
  const settings = {
    GOBIN: binDir,
    GOFLAGS: '-buildvcs=false',
    GOWORK: 'off',
    GOSUMDB: 'sum.golang.org',
    CGO_ENABLED: '0',
  };
  const result = await runCommand('go', parameters, {
    timeoutMs,
    env: { ...context.env, ...settings },
    cwd: context.workDir,
  });
  if (result.missing) throw new Error('there is no go here');
  if (result.failure) throw new Error(`go ${parameters[0]} ${result.failure}`);
  return result.stdout;
}
