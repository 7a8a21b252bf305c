/**
 * A container engine: the one that is running, or else a `dockerd` of our own, started for the proof and ended with it.
 * And the images: built from deploy/Dockerfile, pulled, or made as stand-ins where no registry can be reached.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createWriteStream, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { locateNatsServer } from '@tutti/runtime/nats-server';
import { cacheDir, repositoryRoot, until } from '@tutti/testkit';
import { run } from './commands.ts';

export const IMAGES = {
  tutti: 'tutti:0.1.0',
  node: 'node:24-bookworm-slim',
  nats: 'nats:2.15.1-alpine',
  mongo: 'mongo:8',
  jaeger: 'jaegertracing/jaeger:2.20.0',
} as const;
const IMAGE_MEGABYTES_MAX = 400;
const ENGINE_START_MS = 60_000;
const PLUGIN_SINCE = 23;

export interface Engine {
  env: NodeJS.ProcessEnv;
  docker(...args: string[]): Promise<string>;
  close(): Promise<void>;
}

export async function openEngine(log: (line: string) => void): Promise<Engine> {
  const command = await findClient();
  const over = (env: NodeJS.ProcessEnv, close = async () => {}): Engine => ({
    env,
    docker: (...args) => run(command, args, { env, timeoutMs: 1_800_000 }),
    close,
  });
  const there = over({ ...process.env, DOCKER: command, DOCKER_BUILDKIT: '1' });
  if (await works(there)) return there;
  log('no container engine is running: starting dockerd');
  const folder = join(cacheDir, 'docker');
  mkdirSync(folder, { recursive: true });
  const host = `unix://${folder}/sock`;
  const parts = ['--data-root', `${folder}/data`, '--exec-root', `${folder}/exec`, '--pidfile', `${folder}/pid`];
  const daemon = spawn('dockerd', [...parts, '-H', host], { stdio: ['ignore', 'pipe', 'pipe'] });
  const output = createWriteStream(join(folder, 'log'), { flags: 'a' });
  daemon.stdout.pipe(output);
  daemon.stderr.pipe(output);
  let failed: string | undefined;
  daemon.once('error', (error) => {
    failed = `dockerd cannot be started: ${error.message}. Start a container engine, or install one.`;
  });
  daemon.once('exit', (code) => {
    failed ??= `dockerd ended with ${code}: ${readFileSync(join(folder, 'log'), 'utf8').slice(-1_000)}`;
  });
  const ended = new Promise<void>((resolve) => daemon.once('close', () => resolve()));
  const own = over({ ...there.env, DOCKER_HOST: host }, async () => {
    daemon.kill('SIGTERM');
    await ended;
  });
  await until('dockerd', () => failed !== undefined || works(own), ENGINE_START_MS);
  if (failed !== undefined) throw new Error(failed);
  return own;
}

/** `DOCKER`, or the first on the PATH that can build with BuildKit: it is built in before version 23, and a plugin since. */
async function findClient(): Promise<string> {
  if (process.env.DOCKER) return process.env.DOCKER;
  const paths = (await run('sh', ['-c', 'which -a docker || true'])).split('\n').filter(Boolean);
  for (const path of paths) {
    const major = Number(/version (\d+)/.exec(await run(path, ['--version']).catch(() => ''))?.[1] ?? 0);
    const plugin = run(path, ['buildx', 'version']).then(
      () => true,
      () => false,
    );
    if (major > 0 && (major < PLUGIN_SINCE || (await plugin))) return path;
  }
  throw new Error(
    paths.length === 0
      ? 'there is no docker: install a container engine, or set DOCKER to the client of one'
      : `${paths.join(', ')}: none has the plugin buildx, which builds images. Install it, or set DOCKER to another client.`,
  );
}

const works = (engine: Engine) =>
  engine.docker('info').then(
    () => true,
    () => false,
  );

/** All that Compose and the chart name, `tutti` built anew. */
export async function makeImages(engine: Engine, log: (line: string) => void): Promise<void> {
  const nats = await locateNatsServer({ cacheDir, env: process.env, log });
  const npm = dirname(dirname(realpathSync((await run('sh', ['-c', 'command -v npm'])).trim())));
  const env = { ...engine.env, NODE: process.execPath, NPM: npm, NATS_SERVER: nats.path };
  const make = join(repositoryRoot, 'deploy/testing/images/make.sh');
  await run(make, [join(cacheDir, 'images')], { env, timeoutMs: 3_600_000 });
  log('building the image from deploy/Dockerfile');
  await build(engine);
  const megabytes = Number(await engine.docker('image', 'inspect', '-f', '{{.Size}}', IMAGES.tutti)) / 1e6;
  log(`image ${IMAGES.tutti}: ${megabytes.toFixed(0)} MB, no secret of the build in it`);
  if (megabytes > IMAGE_MEGABYTES_MAX) throw new Error(`the image has more than ${IMAGE_MEGABYTES_MAX} MB`);
}

/** With a secret, as an operator with a private registry gives one, and a look into all layers for it. */
async function build(engine: Engine): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'tutti-image-'));
  try {
    const canary = `canary-${randomBytes(16).toString('hex')}`;
    const [npmrc, saved] = [join(folder, 'npmrc'), join(folder, 'image.tar')];
    writeFileSync(npmrc, `; ${canary}\n`, { mode: 0o600 });
    const dockerfile = join(repositoryRoot, 'deploy/Dockerfile');
    const secret = ['--secret', `id=npmrc,src=${npmrc}`];
    const args = ['--network', 'host', '-q', ...secret, '-f', dockerfile, '-t', IMAGES.tutti, repositoryRoot];
    await engine.docker('build', ...args);
    await engine.docker('save', '-o', saved, IMAGES.tutti);
    // Layers in there are plain tar files. grep ends with 1 when it finds nothing.
    const found = await run('sh', ['-c', `grep -c -a -F ${canary} ${saved} || [ $? = 1 ]`]);
    if (found.trim() !== '0') throw new Error('a secret of the build is in a layer of the image');
    const control = await run('sh', ['-c', `grep -c -a -F 'One image, one process' ${saved} || [ $? = 1 ]`]);
    if (control.trim() === '0') throw new Error('the layers of the image cannot be searched: are they compressed?');
  } finally {
    rmSync(folder, { recursive: true });
  }
}
