/** What operators run: provisioning a bus, and a bundle as values of the chart. */
import { startTestNats, type TestNats } from '@tutti/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
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
