/** What operators run: provisioning a bus, and a bundle as values of the chart. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startTestNats, type TestNats } from '@tutti/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { startTutti } from '../test-support/tutti.ts';

let nats: TestNats;
beforeAll(async () => {
  nats = await startTestNats();
});
afterAll(() => nats.stop());

const tutti = (args: string[], env: Record<string, string> = {}) =>
  startTutti(args, { env: { NATS_URL: nats.url, ...env } }).ended;

test('provision makes what there is to make, once; --check finds what is missing, and then nothing', async () => {
  const before = await tutti(['provision', '--check'], { TUTTI_PARTITIONS: '8' });
  expect([before.code, before.output]).toEqual([1, expect.stringMatching(/TUTTI_LOG: made.*to be provisioned/s)]);
  const made = await tutti(['provision'], { TUTTI_PARTITIONS: '8' });
  expect([made.code, made.output]).toEqual([0, expect.stringContaining('the bus is ready: 8 partitions')]);
  const after = await tutti(['provision', '--check']);
  expect([after.code, after.output]).toEqual([0, 'the bus is as it should be\n']);
  const other = await tutti(['provision'], { TUTTI_PARTITIONS: '16' });
  expect([other.code, other.errors]).toEqual([1, expect.stringMatching(/8 partitions.*TUTTI_PARTITIONS=8/s)]);
});

test('provision says so where there is no bus, after waiting for it', async () => {
  const none = await tutti(['provision', '--wait', '1'], { NATS_URL: 'nats://127.0.0.1:9', TUTTI_LOG_LEVEL: 'silent' });
  expect([none.code, none.errors]).toEqual([3, expect.stringContaining('cannot reach NATS')]);
});

test('bundle-values are the files of a good bundle, and nothing of one with mistakes', async () => {
  const { code, output } = await tutti(['bundle-values', 'examples/travel']);
  const { bundle } = parse(output) as { bundle: { enabled: boolean; files: Record<string, string> } };
  expect([code, bundle.enabled]).toEqual([0, true]);
  expect(Object.keys(bundle.files)).toEqual(
    expect.arrayContaining(['tutti.yaml', 'agents/travel.yaml', 'policies/travel.cedar']),
  );
  const wrong = await tutti(['bundle-values', 'libs/cli']);
  expect([wrong.code, wrong.output]).toEqual([1, '']);
});

describe('bundle-values of a bundle of one’s own', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'tutti-bundle-'));
    for (const folder of ['agents', 'servers', '.git', 'node_modules']) mkdirSync(join(dir, folder));
    writeFileSync(join(dir, 'tutti.yaml'), 'name: own\n');
    writeFileSync(join(dir, 'agents/own.yaml'), 'description: Own.\ninstructions: Greet.\n');
    for (const folder of ['.git', 'node_modules']) writeFileSync(join(dir, folder, 'left-out'), 'x');
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  test('takes files that are no text in base64, and leaves out what is hidden or installed', async () => {
    const bytes = Buffer.from([137, 80, 78, 71, 0, 255]);
    writeFileSync(join(dir, 'servers/logo.png'), bytes);
    const { code, output } = await tutti(['bundle-values', dir]);
    expect(code).toBe(0);
    expect(parse(output)).toEqual({
      bundle: {
        enabled: true,
        files: { 'tutti.yaml': 'name: own\n', 'agents/own.yaml': 'description: Own.\ninstructions: Greet.\n' },
        binaryFiles: { 'servers/logo.png': bytes.toString('base64') },
      },
    });
  });

  test('refuses what a ConfigMap, or Helm’s own Secret, does not hold, and says what to do', async () => {
    writeFileSync(join(dir, 'servers/large.txt'), 'x'.repeat(900_001));
    const large = await tutti(['bundle-values', dir]);
    expect([large.code, large.output]).toEqual([1, '']);
    expect(large.errors).toMatch(/ConfigMap holds 900000.*bundle\.path/s);
    rmSync(join(dir, 'servers/large.txt'));
    // Twice in a release, and not to be compressed.
    writeFileSync(join(dir, 'servers/noise.bin'), randomBytes(500_000));
    const noise = await tutti(['bundle-values', dir]);
    expect([noise.code, noise.output]).toEqual([1, '']);
    expect(noise.errors).toMatch(/Helm could not keep a release/);
  });
});
