/** What a bucket says when the server does not answer: a run must not end because one read of its bundle took too long. */
import type { KV } from '@nats-io/kv';
import { errors } from 'nats';
import { expect, test } from 'vitest';
import { createLogger } from '../log.ts';
import { openBucket } from './nats-stores.ts';
import { BusUnknown } from './port.ts';

function bucketThatFails(error: Error) {
  const fails = () => Promise.reject(error);
  const kv = { get: fails, put: fails, create: fails, update: fails, delete: fails };
  return openBucket(kv as unknown as KV, createLogger({}, { level: 'silent' }));
}

test('a read without an answer can be tried again, any other failure is told as it is', async () => {
  for (const error of [new errors.TimeoutError(), new errors.ClosedConnectionError()])
    await expect(bucketThatFails(error).get('bundle.x')).rejects.toMatchObject({
      code: 'unavailable',
      retryable: true,
    });
  const odd = new Error('odd');
  await expect(bucketThatFails(odd).get('bundle.x')).rejects.toBe(odd);
});

test('of a write without an answer it is not known whether it took effect, any other failure is told as it is', async () => {
  const late = bucketThatFails(new errors.TimeoutError());
  const value = new Uint8Array();
  for (const write of [late.put('k', value), late.create('k', value), late.update('k', value, 1), late.delete('k')])
    await expect(write).rejects.toBeInstanceOf(BusUnknown);
  const odd = new Error('odd');
  await expect(bucketThatFails(odd).put('k', value)).rejects.toBe(odd);
});
