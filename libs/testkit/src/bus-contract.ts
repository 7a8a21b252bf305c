/** What every Bus adapter must do (libs/runtime/src/bus/port.ts). Run over the real server and over any twin. */
import { BLOBS, BUCKETS, STREAMS, subjects, TuttiError } from '@tutti/contracts';
import { type Bus, BusConflict, type StoredMessage } from '@tutti/runtime';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from './until.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (data: Uint8Array) => new TextDecoder().decode(data);

export interface BusFixture {
  /** Another connection to the same bus. */
  connect(name: string): Promise<Bus>;
  stop(): Promise<void>;
}

export function busContract(name: string, start: () => Promise<BusFixture>): void {
  describe(`bus contract: ${name}`, () => {
    let fixture: BusFixture;
    let bus: Bus;
    let other: Bus;
    beforeAll(async () => {
      fixture = await start();
      bus = await fixture.connect('one');
      other = await fixture.connect('two');
    });
    afterAll(async () => {
      await bus.close();
      await other.close();
      await fixture.stop();
    });

    test('a message reaches every subscriber, and one of each queue group', async () => {
      const got: string[] = [];
      const stops = [
        bus.subscribe('tutti.live.t.a', () => got.push('all-1')),
        other.subscribe('tutti.live.t.*', () => got.push('all-2')),
        bus.subscribe('tutti.live.t.a', () => got.push('queue'), { queue: 'q' }),
        other.subscribe('tutti.live.t.a', () => got.push('queue'), { queue: 'q' }),
      ];
      await other.request('tutti.owner.99', bytes('flush'), 200).catch(() => {});
      await bus.request('tutti.owner.99', bytes('flush'), 200).catch(() => {});
      bus.publish('tutti.live.t.a', bytes('x'));
      await until('all three', () => got.length >= 3);
      expect(got.sort()).toEqual(['all-1', 'all-2', 'queue']);
      for (const stop of stops) stop.stop();
    });

    test('a handler that throws does not end its subscription', async () => {
      const got: string[] = [];
      const subscription = bus.subscribe('tutti.live.t.throws', (message) => {
        got.push(text(message.data));
        throw new Error('on purpose');
      });
      bus.publish('tutti.live.t.throws', bytes('1'));
      bus.publish('tutti.live.t.throws', bytes('2'));
      await until('both messages', () => got.length === 2);
      subscription.stop();
    });

    test('a request is answered; nobody there is told at once', async () => {
      const subscription = other.subscribe('tutti.owner.7', (message) =>
        other.publish(message.reply!, bytes(`re: ${text(message.data)}`)),
      );
      await until(
        'the answer',
        async () => text(await bus.request('tutti.owner.7', bytes('hello'), 500)) === 're: hello',
      );
      subscription.stop();
      const error = await bus.request('tutti.owner.8', bytes('x'), 5_000).catch((thrown) => thrown);
      expect(error).toBeInstanceOf(TuttiError);
      expect(error.code).toBe('unavailable');
    });

    test('an append is stored in order, and refused when the expectation does not hold', async () => {
      const subject = subjects.log(200);
      const first = await bus.append(subject, bytes('a'), { expectedLastSubjectSequence: 0 });
      const second = await bus.append(subject, bytes('b'), { expectedLastSubjectSequence: first });
      expect(second).toBeGreaterThan(first);
      await expect(other.append(subject, bytes('c'), { expectedLastSubjectSequence: first })).rejects.toBeInstanceOf(
        BusConflict,
      );
      const stored: StoredMessage[] = [];
      for await (const message of bus.read(STREAMS.log.name, subject, 1)) stored.push(message);
      expect(stored.map((message) => [message.sequence, text(message.data)])).toEqual([
        [first, 'a'],
        [second, 'b'],
      ]);
    });

    test('of many appends against the same expectation exactly one is stored', async () => {
      const subject = subjects.log(201);
      const results = await Promise.allSettled(
        Array.from({ length: 50 }, (_, index) =>
          (index % 2 ? bus : other).append(subject, bytes(String(index)), { expectedLastSubjectSequence: 0 }),
        ),
      );
      expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
    });

    test('a repeat with the same message id is stored once', async () => {
      const subject = subjects.inbound(250, 't', 's', 'r');
      const first = await bus.append(subject, bytes('a'), { messageId: 'same' });
      expect(await other.append(subject, bytes('a'), { messageId: 'same' })).toBe(first);
    });

    test('last finds the last message, by wildcard too', async () => {
      const subject = subjects.inbound(251, 't', 's', 'run-x');
      expect(await bus.last(STREAMS.inbound.name, subject)).toBeNull();
      await bus.append(subject, bytes('1'));
      const sequence = await bus.append(subject, bytes('2'));
      expect((await other.last(STREAMS.inbound.name, subjects.inboundOfRun(251, 'run-x')))?.sequence).toBe(sequence);
    });

    test('following delivers what is stored and what comes, in order, once', async () => {
      const subject = subjects.inbound(252, 't', 's', 'r');
      const sent: number[] = [];
      for (let i = 0; i < 200; i++) sent.push(await bus.append(subject, bytes(String(i))));
      const got: number[] = [];
      const follower = await other.follow(
        STREAMS.inbound.name,
        [subjects.inboundOf(252)],
        sent[50]!,
        async (message) => {
          if (message.sequence % 7 === 0) await new Promise((resolve) => setImmediate(resolve));
          got.push(message.sequence);
        },
      );
      await follower.caughtUp;
      expect(got).toEqual(sent.slice(50));
      for (let i = 0; i < 200; i++) sent.push(await bus.append(subject, bytes(String(i))));
      await until('the rest', () => got.length >= 350);
      expect(got).toEqual(sent.slice(50));
      follower.stop();
    });

    test('a follower of an empty subject is caught up at once', async () => {
      const follower = await bus.follow(STREAMS.inbound.name, [subjects.inboundOf(253)], 1, () => {});
      await follower.caughtUp;
      follower.stop();
    });

    test('purging removes what is before a sequence, on that subject alone', async () => {
      const subject = subjects.log(202);
      const kept = await bus.append(subjects.log(203), bytes('kept'));
      const sequences = [];
      for (let i = 0; i < 3; i++) sequences.push(await bus.append(subject, bytes(String(i))));
      expect(await bus.purge(STREAMS.log.name, subject, sequences[2]!)).toBe(2);
      expect((await bus.last(STREAMS.log.name, subjects.log(203)))?.sequence).toBe(kept);
      expect((await bus.last(STREAMS.log.name, subject))?.sequence).toBe(sequences[2]);
    });

    test('what is larger than a message may be is refused alone', async () => {
      const subject = subjects.log(206);
      const large = new Uint8Array(bus.payloadBytesMax + 1);
      const appends = await Promise.allSettled([
        bus.append(subject, bytes('before')),
        bus.append(subject, large),
        bus.append(subject, bytes('after')),
      ]);
      expect(appends.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
      bus.publish('tutti.live.t.large', large);
      expect((await other.last(STREAMS.log.name, subject))?.data).toEqual(bytes('after'));
    });

    test('a message is found at its position until it is removed, on its own', async () => {
      const subject = subjects.parked(204);
      const first = await bus.append(subject, bytes('1'), { headers: { 'Tutti-Why': 'because' } });
      const second = await bus.append(subject, bytes('2'));
      const found = await other.message(STREAMS.parked.name, first);
      expect(found && [found.subject, found.sequence, text(found.data)]).toEqual([subject, first, '1']);
      expect(found?.headers).toMatchObject({ 'Tutti-Why': 'because' });
      await other.remove(STREAMS.parked.name, first);
      await other.remove(STREAMS.parked.name, first);
      expect(await bus.message(STREAMS.parked.name, first)).toBeNull();
      expect((await bus.message(STREAMS.parked.name, second))?.sequence).toBe(second);
      expect(await bus.message(STREAMS.parked.name, second + 1_000)).toBeNull();
    });

    test('a subject that was purged to its end is expected to be empty', async () => {
      const subject = subjects.log(205);
      const first = await bus.append(subject, bytes('1'));
      await bus.purge(STREAMS.log.name, subject, first + 1);
      await expect(bus.append(subject, bytes('2'), { expectedLastSubjectSequence: first })).rejects.toBeInstanceOf(
        BusConflict,
      );
      const second = await bus.append(subject, bytes('2'), { expectedLastSubjectSequence: 0 });
      expect(second).toBeGreaterThan(first);
    });

    test('a schedule delivers its message when it is due', async () => {
      const target = subjects.inbound(254, 't', 's', 'r');
      await bus.append(subjects.timer(254, 'one'), bytes('due'), {
        headers: { 'Nats-Schedule': `@at ${new Date(Date.now() + 300).toISOString()}`, 'Nats-Schedule-Target': target },
      });
      const message = await until('the timer', () => bus.last(STREAMS.inbound.name, target));
      expect(text(message.data)).toBe('due');
    });

    test('a bucket compares and sets', async () => {
      const bucket = await bus.bucket(BUCKETS.leases);
      const same = await other.bucket(BUCKETS.leases);
      expect(await bucket.get('k')).toBeNull();
      const first = await bucket.create('k', bytes('1'));
      await expect(same.create('k', bytes('2'))).rejects.toBeInstanceOf(BusConflict);
      const second = await same.update('k', bytes('2'), first);
      await expect(bucket.update('k', bytes('3'), first)).rejects.toBeInstanceOf(BusConflict);
      expect(await bucket.get('k')).toMatchObject({ revision: second });
      await bucket.delete('k');
      expect(await same.get('k')).toBeNull();
      await same.create('k', bytes('again'));
    });

    test('watching a bucket gives what is there, then every change', async () => {
      const bucket = await bus.bucket(BUCKETS.settings);
      await bucket.put('w1', bytes('1'));
      const seen = new Map<string, string | null>();
      const watch = await (await other.bucket(BUCKETS.settings)).watch((key, entry) =>
        seen.set(key, entry && text(entry.value)),
      );
      await watch.ready;
      expect(seen.get('w1')).toBe('1');
      await bucket.put('w2', bytes('2'));
      await bucket.delete('w1');
      await until('the changes', () => seen.get('w2') === '2' && seen.get('w1') === null);
      watch.stop();
    });

    test('blobs hold more than a message does', async () => {
      const blobs = await bus.blobs(BLOBS);
      const data = new Uint8Array(3_000_000).map((_, index) => index % 251);
      expect(await blobs.get('big')).toBeNull();
      await blobs.put('big', data);
      expect(Buffer.compare(Buffer.from((await (await other.blobs(BLOBS)).get('big'))!), Buffer.from(data))).toBe(0);
      await blobs.delete('big');
      expect(await blobs.get('big')).toBeNull();
    });

    test('blobs are replaced, listed, and gone once they are deleted', async () => {
      const blobs = await bus.blobs(BLOBS);
      for (const name of ['part.1', 'part.2', 'other', 'ä']) await blobs.put(name, bytes(name));
      await blobs.put('part.1', bytes('anew'));
      await blobs.put('empty', bytes(''));
      expect(new Uint8Array((await blobs.get('part.1'))!)).toEqual(bytes('anew'));
      expect(new Uint8Array((await blobs.get('ä'))!)).toEqual(bytes('ä'));
      expect(new Uint8Array((await blobs.get('empty'))!)).toEqual(bytes(''));
      expect((await blobs.list('part.')).sort()).toEqual(['part.1', 'part.2']);
      await blobs.delete('part.1');
      await blobs.delete('part.1');
      expect(await blobs.list('part.')).toEqual(['part.2']);
    });
  });
}
