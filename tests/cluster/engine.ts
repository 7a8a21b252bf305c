/**
 * A container engine: the one that is running, or else a `dockerd` of our own, started for the proof and ended with it.
 * And the images: built from deploy/Dockerfile, pulled, or made as stand-ins where no registry can be reached.
 */
import { spawn } from 'node:child_process';
import { createWriteStream, mkdirSync, readFileSync, realpathSync } from 'node:fs';
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

export interface Engine {
  env: NodeJS.ProcessEnv;
  docker(...args: string[]): Promise<string>;
  close(): Promise<void>;
}

export async function openEngine(log: (line: string) => void): Promise<Engine> {
  const command = process.env.DOCKER ?? 'docker';
  const over = (env: NodeJS.ProcessEnv, close = async () => {}): Engine => ({
    env,
    docker: (...args) => run(command, args, { env, timeoutMs: 1_800_000 }),
    close,
  });
  const there = over({ ...process.env, DOCKER_BUILDKIT: '1' });
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
  const own = over({ ...process.env, DOCKER_BUILDKIT: '1', DOCKER_HOST: host }, async () => {
    daemon.kill('SIGTERM');
    await ended;
  });
  await until('dockerd', () => failed !== undefined || works(own), ENGINE_START_MS);
  if (failed !== undefined) throw new Error(failed);
  return own;
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
  const dockerfile = join(repositoryRoot, 'deploy/Dockerfile');
  await engine.docker('build', '--network', 'host', '-q', '-f', dockerfile, '-t', IMAGES.tutti, repositoryRoot);
  const megabytes = Number(await engine.docker('image', 'inspect', '-f', '{{.Size}}', IMAGES.tutti)) / 1e6;
  log(`image ${IMAGES.tutti}: ${megabytes.toFixed(0)} MB`);
  if (megabytes > IMAGE_MEGABYTES_MAX) throw new Error(`the image has more than ${IMAGE_MEGABYTES_MAX} MB`);
}
