/** What provisioning does about what it finds: nothing that is kept is kept for less time, in fewer copies, or no longer. */
import { DiscardPolicy, RetentionPolicy, StorageType, type StreamConfig } from '@nats-io/jetstream';
import type { StreamSpec } from '@tutti/contracts';
import { describe, expect, test } from 'vitest';
import { configOf, planStore, planStream } from './stream-plan.ts';

const HOUR_MS = 3_600_000;
const SPEC: StreamSpec = {
  name: 'S',
  subjects: ['s.>'],
  maxAgeMs: 2 * HOUR_MS,
  duplicateWindowMs: 60_000,
  schedules: true,
};
const there = (config: Partial<StreamConfig> = {}, spec = SPEC): StreamConfig =>
  ({
    ...configOf(spec, 1),
    max_bytes: -1,
    max_msgs: -1,
    sealed: false,
    deny_delete: false,
    deny_purge: false,
    ...config,
  }) as StreamConfig;
const why = (config: Partial<StreamConfig>, spec = SPEC) => {
  const plan = planStream(spec, there(config, spec), 1);
  return plan.what === 'refuse' ? plan.why.join('\n') : plan.what;
};
const change = (config: Partial<StreamConfig>, replicas = 1, spec = SPEC) => {
  const plan = planStream(spec, there(config, spec), replicas);
  return plan.what === 'change' ? plan.change : plan.what;
};

test('what is not there is made, and what is as it should be is left alone', () => {
  expect(planStream(SPEC, undefined, 3)).toEqual({ what: 'make' });
  expect(planStream(SPEC, there(), 1)).toEqual({ what: 'keep' });
});

describe('is changed', () => {
  test('only to keep more: longer, in more copies, of more subjects', () => {
    expect(change({}, 3)).toEqual({ num_replicas: 3 });
    expect(change({ max_age: HOUR_MS * 1e6 })).toEqual({ max_age: 2 * HOUR_MS * 1e6 });
    expect(change({ max_age: HOUR_MS * 1e6 }, 1, { ...SPEC, maxAgeMs: 0 })).toEqual({ max_age: 0 });
    expect(change({ subjects: ['other.>'] })).toEqual({ subjects: ['other.>', 's.>'] });
    expect(change({ duplicate_window: 1e9, allow_direct: false, allow_msg_schedules: false })).toEqual({
      duplicate_window: 60_000 * 1e6,
      allow_direct: true,
      allow_msg_schedules: true,
      allow_msg_ttl: true,
    });
  });

  test('never the other way', () => {
    const more = { num_replicas: 5, max_age: 0, subjects: ['s.>', 'later.>'], duplicate_window: 120_000 * 1e6 };
    expect(change(more)).toBe('keep');
    expect(change({ max_age: 3 * HOUR_MS * 1e6 })).toBe('keep');
  });
});

describe('is refused, with what to do', () => {
  test('a stream that forgets', () => {
    expect(why({ storage: StorageType.Memory })).toMatch(/kept in memory.*provision again/);
    expect(why({ retention: RetentionPolicy.Workqueue })).toMatch(/"workqueue".*removes what has been read/);
    expect(why({ max_bytes: 1_000 })).toMatch(/max_bytes 1000.*set the limit to -1$/);
    expect(why({ max_bytes: 1_000, allow_msg_schedules: false })).toMatch(/max_bytes 1000.*-1.*"new"/);
    expect(why({ max_msgs: 10 })).toMatch(/max_msgs 10/);
    expect(why({ max_msgs_per_subject: 5 })).toMatch(/keeps 5 messages of each subject/);
  });

  test('a full one that refuses the newest loses nothing', () => {
    expect(why({ max_bytes: 1_000, discard: DiscardPolicy.New })).toBe('keep');
  });

  test('one that holds more than would be left of it', () => {
    const last = { ...SPEC, lastPerSubject: true };
    expect(why({ max_msgs_per_subject: -1 }, last)).toMatch(/all messages.*all but the last would be deleted/);
    expect(why({ max_msgs_per_subject: 8 }, last)).toMatch(/8 messages/);
  });

  test('one that nothing can be written to or removed from, and all of it at once', () => {
    expect(why({ sealed: true, deny_purge: true })).toMatch(/sealed.*\n.*deletes are denied/);
  });
});

test('of buckets and object stores: age, copies and where they are kept', () => {
  const bucket = (config: Partial<StreamConfig>) => there({ max_age: 0, discard: DiscardPolicy.New, ...config });
  expect(planStore(0, bucket({}), 1)).toEqual({ what: 'keep' });
  expect(planStore(0, bucket({ max_age: 1e9 }), 1)).toMatchObject({ what: 'change', change: { max_age: 0 } });
  expect(planStore(0, bucket({}), 3)).toMatchObject({ what: 'change', change: { num_replicas: 3 } });
  expect(planStore(HOUR_MS, bucket({}), 1)).toEqual({ what: 'keep' });
  expect(planStore(0, bucket({ storage: StorageType.Memory }), 1)).toMatchObject({ what: 'refuse' });
});
