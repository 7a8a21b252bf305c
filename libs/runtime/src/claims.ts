/**
 * Claim checks: a request or result whose JSON is over the bus's limit of a message is left in the object store, and a
 * reference to it travels. Named by call, asking and content.
 * Invariants: a reference is only sent once what it stands for is stored; what is read back is what was meant (its
 * hash). Whoever asked takes both away when the call has ended; what a crash or a hand-over leaves behind goes by age.
 */
import { createHash } from 'node:crypto';
import { CLAIMS, type Claim, LIMITS, TuttiError } from '@tutti/contracts';
import type { Blobs, Bus } from './bus/port.ts';
import type { Logger } from './log.ts';

const HASH_CHARS_IN_NAME = 16;
const bytes = new TextEncoder();
const text = new TextDecoder();

export interface Claims {
  /** Stores it under a name that begins so; rejects when the store cannot be reached. */
  leave(name: string, json: string): Promise<Claim>;
  /** What was left. Throws TuttiError `unavailable` when it is gone or the store cannot be reached. */
  fetch(claim: Claim): Promise<unknown>;
  /** Takes it away, sooner or later. */
  drop(claim: Claim): void;
}

export function createClaims(bus: Bus, log: Logger): Claims {
  let opening: Promise<Blobs> | undefined;
  const store = (): Promise<Blobs> => {
    opening ??= bus.blobs(CLAIMS.name).catch((error) => {
      opening = undefined;
      throw error;
    });
    return opening;
  };
  return {
    async leave(name, json) {
      const data = bytes.encode(json);
      const hash = createHash('sha256').update(data).digest('hex');
      const blob = `${name}.${hash.slice(0, HASH_CHARS_IN_NAME)}`;
      await (await store()).put(blob, data);
      return { blob, bytes: data.length, hash };
    },
    async fetch(claim) {
      let data: Uint8Array | null;
      try {
        data = await (await store()).get(claim.blob);
      } catch (cause) {
        throw new TuttiError('unavailable', `the payload ${claim.blob} cannot be read right now`, { cause });
      }
      if (!data || createHash('sha256').update(data).digest('hex') !== claim.hash)
        throw new TuttiError('unavailable', `the payload ${claim.blob} is gone`);
      return JSON.parse(text.decode(data));
    },
    drop(claim) {
      store()
        .then((blobs) => blobs.delete(claim.blob))
        .catch((error) => log.debug({ err: error, blob: claim.blob }, 'a payload stays until it is too old'));
    },
  };
}

export function tooLarge(what: string, size: number): TuttiError {
  const limit = LIMITS.payloadBytesMax;
  return new TuttiError(
    'payload_too_large',
    `${what} has ${size} bytes; at most ${limit} may be sent (payloadBytesMax)`,
  );
}
