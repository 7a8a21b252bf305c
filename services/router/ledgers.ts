/** The router's shared ledgers: money for good and for a while, rates, and what was used a day. */
import { SPEND_BUCKETS } from '@tutti/contracts';
import type { Bus } from '@tutti/runtime';
import { createBucketLedgers } from './adapters/bucket-ledgers.ts';
import { applyRates, emptyRates, RateLedger } from './core/rate.ts';
import { applySpend, emptyLedger, SpendLedger } from './core/spend.ts';
import { applyUsage, emptyDay, UsageDay } from './core/usage-rows.ts';
import type { LedgerRules } from './ports/shared-ledgers.ts';
import type { RateLedgers } from './rate-limits.ts';
import type { SpendLedgers } from './spending.ts';
import type { UsageLedgers } from './usage-log.ts';

export interface Ledgers {
  lasting: SpendLedgers;
  ageing: SpendLedgers;
  rates: RateLedgers;
  days: UsageLedgers;
}

export function createLedgers(bus: Pick<Bus, 'bucket'>, instance: string): Ledgers {
  const open = <Ledger, Operation, Outcome>(name: string, rules: LedgerRules<Ledger, Operation, Outcome>) => {
    let bucket: ReturnType<Bus['bucket']> | undefined;
    const get = () => {
      bucket ??= bus.bucket(name);
      bucket.catch(() => {
        bucket = undefined;
      });
      return bucket;
    };
    return createBucketLedgers({ bucket: get, rules, instance });
  };
  const spend = { empty: emptyLedger, parse: (value: unknown) => SpendLedger.parse(value), apply: applySpend };
  return {
    lasting: open(SPEND_BUCKETS.lasting.name, spend),
    ageing: open(SPEND_BUCKETS.ageing.name, spend),
    rates: open(SPEND_BUCKETS.lasting.name, {
      empty: emptyRates,
      parse: (value: unknown) => RateLedger.parse(value),
      apply: applyRates,
    }),
    days: open(SPEND_BUCKETS.days.name, {
      empty: emptyDay,
      parse: (value: unknown) => UsageDay.parse(value),
      apply: applyUsage,
    }),
  };
}
