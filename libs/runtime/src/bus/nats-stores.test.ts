/** What a bucket says when the server does not answer: a run must not end because one read of its bundle took too long. */
import type { KV } from '@nats-io/kv';
import { errors } from 'nats';
import { expect, test } from 'vitest';
import { createLogger } from '../log.ts';
import { openBucket } from './nats-stores.ts';

const bucketThatFails = (error: Error) =>
  openBucket({ get: () => Promise.reject(error) } as unknown as KV, createLogger({}, { level: 'silent' }));

test('a read without an answer can be tried again, any other failure is told as it is', async () => {
  for (const error of [new errors.TimeoutError(), new errors.ClosedConnectionError()])
    await expect(bucketThatFails(error).get('bundle.x')).rejects.toMatchObject({
      code: 'unavailable',
      retryable: true,
    });
  const odd = new Error('odd');
  await expect(bucketThatFails(odd).get('bundle.x')).rejects.toBe(odd);
});
