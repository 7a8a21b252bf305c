/** A token bucket as a value: so many calls a minute, all of them at once after a quiet minute. Time is an input, monotonic ms. */
const MINUTE_MS = 60_000;

export interface Bucket {
  tokens: number;
  at: number;
}

export function fullBucket(perMinuteMax: number, now: number): Bucket {
  return { tokens: perMinuteMax, at: now };
}

/** `waitMs` 0: a call was taken out of it. Otherwise when one can be. */
export function takeOne(bucket: Bucket, perMinuteMax: number, now: number): { bucket: Bucket; waitMs: number } {
  const perMs = perMinuteMax / MINUTE_MS;
  const tokens = Math.min(perMinuteMax, bucket.tokens + (now - bucket.at) * perMs);
  if (tokens >= 1) return { bucket: { tokens: tokens - 1, at: now }, waitMs: 0 };
  return { bucket: { tokens, at: now }, waitMs: Math.ceil((1 - tokens) / perMs) };
}

export function isFull(bucket: Bucket, perMinuteMax: number, now: number): boolean {
  return bucket.tokens + ((now - bucket.at) * perMinuteMax) / MINUTE_MS >= perMinuteMax;
}
