/**
 * Money over several routers and a real nats-server: a burst never passes a limit and leaves nothing behind, a lost
 * acknowledgement counts once, a router that dies frees what it held, and a provider's rate limit is one for all.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { SPEND_BUCKETS, TuttiError } from '@tutti/contracts';
import { type Bucket, type Bus, connectNatsBus, createLogger, provision } from '@tutti/runtime';
import { startTestNats, type TestNats, until } from '@tutti/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBucketLedgers } from './adapters/bucket-ledgers.ts';
import type { Budgets } from './core/budgets.ts';
import { nanoOfUsd } from './core/money.ts';
import { applyRates, emptyRates, RateLedger } from './core/rate.ts';
import { applySpend, emptyLedger, type SpendAsk, SpendLedger, standingOf } from './core/spend.ts';
import { createRateGate } from './rate-limits.ts';
import { createSpending, type SpendingLimits, type SpendLedgers } from './spending.ts';

const log = createLogger({}, { level: 'silent' });
let nats: TestNats;
const buses: Bus[] = [];
beforeAll(async () => {
  nats = await startTestNats();
  for (let i = 0; i < 3; i++) buses.push(await connectNatsBus({ url: nats.url, name: `router-${i}`, log }));
  await provision(buses[0]!, { replicas: 1, partitions: 1 });
});
afterAll(async () => {
  for (const bus of buses) await bus.close();
  await nats.stop();
});

const spendRules = {
  empty: emptyLedger,
  parse: (value: unknown) => SpendLedger.parse(value),
  apply: applySpend,
};
let instances = 0;
function ledgers(bus: Bus, wrap: (bucket: Bucket) => Bucket = (bucket) => bucket): SpendLedgers {
  return createBucketLedgers({
    bucket: async () => wrap(await bus.bucket(SPEND_BUCKETS.lasting.name)),
    rules: spendRules,
    instance: `i${++instances}`,
  });
}
let ids = 0;
function replica(bus: Bus, limits: Partial<SpendingLimits> = {}, lasting = ledgers(bus)) {
  const spending = createSpending({
    lasting,
    ageing: ledgers(bus),
    limits: { waitMaxMs: 20_000, orphanMs: 5_000, ...limits },
    newId: () => `r${++ids}`,
    log,
  });
  return { spending, lasting };
}

const prices = { input: 2, output: 8 };
const ask: SpendAsk = { prices, inputTokens: 1_000, outputTokensWanted: 500, outputTokensMin: 100, requests: 1 };
const spenderOf = (tenant: string) => ({ tenant, agent: 'a', session: 's1', run: 'run1', key: 'ann' });
const call = (ms = 30_000) => ({ signal: new AbortController().signal, deadlineAt: Date.now() + ms });
const standing = async (of: SpendLedgers, tenant: string, id: string) =>
  standingOf(await of.read(`tenant.${tenant}`), id, 'day', Date.now());

describe('a burst', () => {
  it('of 1,000 calls over 3 routers never passes a limit by a nano-dollar, and ends with nothing held', async () => {
    const replicas = buses.map((bus) => replica(bus));
    // room for about 400 calls at what they really cost, for 166 at what is set aside for each
    const budgets: Budgets = {
      money: { scope: 'tenant', window: 'day', usd: 1 },
      mine: { scope: 'key', window: 'day', requests: 900 },
      now: { scope: 'session', window: 'day', tokens: 2_000_000 },
    };
    let [granted, refused, actual, tokens, peak] = [0, 0, 0, 0, 0];
    let over = false;
    const watch = setInterval(async () => {
      const { spent, held } = await standing(replicas[0]!.lasting, 'burst', 'money');
      peak = Math.max(peak, spent.nanoUsd + held.nanoUsd);
      over ||= spent.nanoUsd + held.nanoUsd > nanoOfUsd(1);
    }, 20);
    await Promise.all(
      Array.from({ length: 1_000 }, async (_, n) => {
        try {
          const reservation = await replicas[n % 3]!.spending.reserve(budgets, spenderOf('burst'), 'm', ask, call());
          granted += 1;
          await sleep(5 + (n % 7));
          if (n % 11 === 0) return reservation.release();
          const used = {
            inputTokens: 600 + (n % 400),
            outputTokens: Math.min(reservation.outputTokensMax!, 100 + (n % 100)),
          };
          reservation.settle(used);
          actual += used.inputTokens * 2_000 + used.outputTokens * 8_000;
          tokens += used.inputTokens + used.outputTokens;
        } catch (error) {
          expect(error).toMatchObject({ code: 'budget_exceeded' });
          refused += 1;
        }
      }),
    );
    await Promise.all(replicas.map(({ spending }) => spending.idle()));
    clearInterval(watch);
    const end = await standing(replicas[1]!.lasting, 'burst', 'money');
    expect(over).toBe(false);
    expect(peak).toBeGreaterThan(nanoOfUsd(0.9));
    expect(granted + refused).toBe(1_000);
    expect(refused).toBeGreaterThan(100);
    // what was set aside and not used was waited for: more went through than the reservations alone allow
    expect(granted).toBeGreaterThan(250);
    expect(end.spent).toMatchObject({ nanoUsd: actual, tokens });
    expect(end.held).toEqual({ nanoUsd: 0, tokens: 0, requests: 0 });
    expect(end.expired.nanoUsd).toBe(0);
    expect(nanoOfUsd(1) - end.spent.nanoUsd).toBeLessThan(ask.inputTokens * 2_000 + 100 * 8_000);
  }, 60_000);

  it('costs a few writes a router, not one a call', async () => {
    const { spending, writes } = countedReplica();
    const budgets: Budgets = { all: { scope: 'tenant', window: 'day', requests: 10_000 } };
    const reservations = await Promise.all(
      Array.from({ length: 500 }, () => spending.reserve(budgets, spenderOf('few'), 'm', ask, call())),
    );
    for (const reservation of reservations) reservation.settle({ inputTokens: 1, outputTokens: 1 });
    await spending.idle();
    expect(writes()).toBeLessThan(10);
  });

  it('of calls one after the other costs a write each: a settlement goes with the next reservation', async () => {
    const { spending, writes } = countedReplica();
    const budgets: Budgets = { all: { scope: 'tenant', window: 'day', requests: 10_000 } };
    for (let n = 0; n < 20; n++) {
      const reservation = await spending.reserve(budgets, spenderOf('row'), 'm', ask, call());
      reservation.settle({ inputTokens: 1, outputTokens: 1 });
    }
    await spending.idle();
    // some more where the machine is slow
    expect(writes()).toBeLessThan(30);
    expect((await standing(ledgers(buses[0]!), 'row', 'all')).spent.requests).toBe(20);
  });

  it('is settled although no other call comes', async () => {
    const { spending, lasting } = replica(buses[0]!);
    const budgets: Budgets = { all: { scope: 'tenant', window: 'day', requests: 10 } };
    const reservation = await spending.reserve(budgets, spenderOf('last'), 'm', ask, call());
    reservation.settle({ inputTokens: 1, outputTokens: 1 });
    const settled = async () => (await standing(lasting, 'last', 'all')).spent.requests === 1;
    await until('it to be settled', settled, 5_000);
  });
});

function countedReplica() {
  let writes = 0;
  const counted = <T>(write: T): T => {
    writes += 1;
    return write;
  };
  const counting = (bucket: Bucket): Bucket => ({
    ...bucket,
    create: (key, value) => counted(bucket.create(key, value)),
    update: (key, value, revision) => counted(bucket.update(key, value, revision)),
  });
  return { ...replica(buses[0]!, {}, ledgers(buses[0]!, counting)), writes: () => writes };
}

describe('a budget', () => {
  it('that does not count a call costs it nothing: nothing is awaited', () => {
    const { spending } = replica(buses[0]!);
    const other: Budgets = { b: { scope: 'tenant', window: 'day', usd: 1, agents: ['other'] } };
    for (const budgets of [undefined, {}, other]) {
      const reservation = spending.reserve(budgets, spenderOf('free'), 'm', ask, call());
      expect(reservation).not.toBeInstanceOf(Promise);
      expect(reservation).toMatchObject({ outputTokensMax: undefined });
    }
  });

  it('refuses with its name, its limit and until when', async () => {
    const { spending } = replica(buses[0]!);
    const budgets: Budgets = { tiny: { scope: 'key', window: 'day', usd: 0.000_001 } };
    const refused = spending.reserve(budgets, spenderOf('tiny'), 'm', ask, call());
    await expect(refused).rejects.toThrow(
      /the budget "tiny" of key ann \(\$0.000001 a day\) has no room for this call; there is more from \d{4}-/,
    );
    const error = await Promise.resolve(refused).catch((caught) => caught as TuttiError);
    expect(error).toBeInstanceOf(TuttiError);
    expect((error as TuttiError).retryAfterMs).toBeGreaterThan(0);
    expect((await standing(ledgers(buses[1]!), 'tiny', 'tiny/ann')).held.requests).toBe(0);
  });

  it('a narrow one that refuses leaves nothing held in a wide one, nor the other way round', async () => {
    const { spending, lasting } = replica(buses[0]!);
    const budgets: Budgets = {
      wide: { scope: 'tenant', window: 'day', requests: 1 },
      narrow: { scope: 'run', window: 'day', requests: 5 },
    };
    const first = await spending.reserve(budgets, spenderOf('both'), 'm', ask, call());
    first.settle({ inputTokens: 1, outputTokens: 1 });
    await spending.idle();
    await expect(spending.reserve(budgets, spenderOf('both'), 'm', ask, call())).rejects.toThrow('"wide"');
    await spending.idle();
    expect(await standing(lasting, 'both', 'wide')).toMatchObject({ spent: { requests: 1 }, held: { requests: 0 } });
  });

  it('a provider that claims more than can be is charged what was set aside', async () => {
    const { spending, lasting } = replica(buses[0]!);
    const budgets: Budgets = { b: { scope: 'tenant', window: 'day', usd: 1 } };
    const reservation = await spending.reserve(budgets, spenderOf('liar'), 'm', ask, call());
    expect(reservation.settle({ inputTokens: 9e15, outputTokens: Number.NaN })).toEqual({ suspect: true });
    reservation.settle({ inputTokens: 5, outputTokens: 5 });
    await spending.idle();
    expect((await standing(lasting, 'liar', 'b')).spent).toEqual({ nanoUsd: 2_000_000, tokens: 1_000, requests: 1 });
  });

  it('of a router that was killed is free again, and no other waits longer than that', async () => {
    const budgets: Budgets = { one: { scope: 'tenant', window: 'day', requests: 1 } };
    const dead = replica(buses[0]!, { orphanMs: 300 });
    await dead.spending.reserve(budgets, spenderOf('orphan'), 'm', ask, call(500));
    const { spending, lasting } = replica(buses[1]!);
    const reservation = await spending.reserve(budgets, spenderOf('orphan'), 'm', ask, call());
    reservation.settle({ inputTokens: 1, outputTokens: 1 });
    await spending.idle();
    expect(await standing(lasting, 'orphan', 'one')).toMatchObject({
      spent: { requests: 1 },
      held: { requests: 0 },
      expired: { requests: 1 },
    });
  });

  it('a call that is given up while it waits says so', async () => {
    const budgets: Budgets = { one: { scope: 'tenant', window: 'day', requests: 1 } };
    const { spending } = replica(buses[0]!);
    await spending.reserve(budgets, spenderOf('gone'), 'm', ask, call());
    const controller = new AbortController();
    const waiting = Promise.resolve(
      spending.reserve(budgets, spenderOf('gone'), 'm', ask, { ...call(), signal: controller.signal }),
    );
    const settled = expect(waiting).rejects.toMatchObject({ code: 'cancelled' });
    controller.abort();
    await settled;
  });
});

describe('a lost acknowledgement', () => {
  it('of a write that took effect does not make it take effect twice', async () => {
    let lose = 0;
    const lossy = (bucket: Bucket): Bucket => {
      const lost = async (write: Promise<number>) => {
        const revision = await write;
        if (lose-- > 0) throw new Error('timeout');
        return revision;
      };
      return {
        ...bucket,
        create: (key, value) => lost(bucket.create(key, value)),
        update: (key, value, revision) => lost(bucket.update(key, value, revision)),
      };
    };
    const { spending, lasting } = replica(buses[0]!, {}, ledgers(buses[0]!, lossy));
    const budgets: Budgets = { b: { scope: 'tenant', window: 'day', usd: 1 } };
    lose = 1;
    const reservations = await Promise.all(
      Array.from({ length: 20 }, () => spending.reserve(budgets, spenderOf('lossy'), 'm', ask, call())),
    );
    lose = 2;
    for (const reservation of reservations) reservation.settle({ inputTokens: 10, outputTokens: 10 });
    await spending.idle();
    expect(await standing(lasting, 'lossy', 'b')).toMatchObject({
      spent: { nanoUsd: 20 * 10 * 10_000, tokens: 400, requests: 20 },
      held: { requests: 0 },
    });
  });

  it('a ledger that cannot be reached refuses, rather than spend on trust', async () => {
    const broken = (bucket: Bucket): Bucket => ({
      ...bucket,
      get: () => Promise.reject(new Error('no connection')),
    });
    const { spending } = replica(buses[0]!, {}, ledgers(buses[0]!, broken));
    const budgets: Budgets = { b: { scope: 'tenant', window: 'day', usd: 1 } };
    await expect(spending.reserve(budgets, spenderOf('off'), 'm', ask, call(300))).rejects.toMatchObject({
      code: 'unavailable',
    });
  });
});

describe('a rate limit', () => {
  const gates = (account: string) => {
    const limits = { requestsPerMinute: 30, tokensPerMinute: 100_000 };
    return buses.map((bus, n) => {
      const gate = createRateGate({
        ledgers: createBucketLedgers({
          bucket: () => bus.bucket(SPEND_BUCKETS.lasting.name),
          rules: { empty: emptyRates, parse: (value) => RateLedger.parse(value), apply: applyRates },
          instance: `g${n}${account}`,
        }),
        log,
      });
      return {
        enter: (tokens: number, waitMaxMs = 0) =>
          gate.enter(account, limits, tokens, { signal: new AbortController().signal, waitMaxMs }),
        block: (ms: number) => gate.block(account, ms),
      };
    });
  };

  it('is one for all routers', async () => {
    const all = gates('openai/gpt');
    const answers = await Promise.all(Array.from({ length: 90 }, (_, n) => all[n % 3]!.enter(10)));
    const granted = answers.filter((answer) => answer.granted).length;
    // a request refills every two seconds while the test runs
    expect(granted).toBeGreaterThanOrEqual(30);
    expect(granted).toBeLessThanOrEqual(33);
    expect(answers.find((answer) => !answer.granted)).toMatchObject({ reason: 'at its limit of requests a minute' });
  });

  it('waits where that is short, and gives back what was not used', async () => {
    const all = gates('openai/other');
    const first = await all[0]!.enter(100_000);
    if (!first.granted) throw new Error('not granted');
    expect(await all[1]!.enter(50_000)).toMatchObject({ granted: false, reason: 'at its limit of tokens a minute' });
    first.ticket.correct(1_000);
    await until('tokens are back', async () => (await all[1]!.enter(50_000)).granted);
    const startedAt = Date.now();
    expect(await all[2]!.enter(50_000, 5_000)).toMatchObject({ granted: true });
    expect(Date.now() - startedAt).toBeGreaterThan(100);
  });

  it('a provider that asks for a pause gets it from all', async () => {
    const all = gates('openai/third');
    expect(await all[0]!.enter(1)).toMatchObject({ granted: true });
    all[0]!.block(60_000);
    await until('everyone knows', async () => !(await all[2]!.enter(1)).granted);
    expect(await all[1]!.enter(1)).toMatchObject({ granted: false, reason: 'left alone as long as it asked' });
  });
});
