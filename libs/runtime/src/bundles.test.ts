import { contentHash, TuttiError } from '@tutti/contracts';
import { expect, test } from 'vitest';
import { createBundleStore } from './bundles.ts';
import type { Bucket } from './bus/port.ts';

const bundle = { v: 1, name: 'test', agents: {}, tools: {}, collections: {}, policies: {} };
const hash = contentHash(bundle);

test('whoever asks for a bundle at once reads it once; what failed is read again', async () => {
  let reads = 0;
  let away = true;
  const bucket = {
    async get(key: string) {
      reads += 1;
      if (away) throw new TuttiError('unavailable', `${key} cannot be read right now`);
      return { key, value: new TextEncoder().encode(JSON.stringify(bundle)), revision: 1 };
    },
  } as Partial<Bucket> as Bucket;
  const store = createBundleStore(async () => bucket);
  const all = () => Promise.allSettled(Array.from({ length: 100 }, () => store.get(hash)));
  expect((await all()).map(({ status }) => status)).toEqual(Array(100).fill('rejected'));
  expect(reads).toBe(1);
  away = false;
  for (const one of await all()) expect(one).toMatchObject({ status: 'fulfilled', value: bundle });
  await all();
  expect(reads).toBe(2);
});
