/**
 * Shared ledgers over a key-value bucket. Whatever is submitted for a key while a write is under way goes into the next
 * one (group commit), so that a burst costs a few writes a replica. Each write says which of this instance's writes it is:
 * when an acknowledgement is lost, the stored value itself tells whether the write took effect.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { TuttiError } from '@tutti/contracts';
import { type Bucket, BusConflict } from '@tutti/runtime';
import { z } from 'zod';
import type { LedgerRules, SharedLedgers } from '../ports/shared-ledgers.ts';

const OPERATIONS_PER_WRITE_MAX = 2_000;
/** An instance that has not written for this long cannot have a write under way. */
const WRITER_FORGOTTEN_MS = 3_600_000;
/** Keys whose last known value is kept. */
const KNOWN_MAX = 1_000;
const RETRY_MS = 50;
const RETRY_MAX_MS = 2_000;

const Stored = z.object({
  v: z.literal(1),
  ledger: z.unknown(),
  /** By instance: the number of its last write, and when that was. */
  writers: z.record(z.string(), z.object({ n: z.number().int(), at: z.number() })),
});

export interface BucketLedgersParts<Ledger, Operation, Outcome> {
  bucket: () => Promise<Bucket>;
  rules: LedgerRules<Ledger, Operation, Outcome>;
  /** Unique for this process. */
  instance: string;
  clock?: () => number;
}

interface Waiting<Operation, Outcome> {
  operation: Operation;
  giveUpAt: number;
  resolve(outcome: Outcome): void;
  reject(error: unknown): void;
}

interface Snapshot<Ledger> {
  ledger: Ledger;
  writers: z.infer<typeof Stored>['writers'];
  /** 0: the key is not there. */
  revision: number;
}

const text = new TextDecoder();
const bytes = new TextEncoder();

export function createBucketLedgers<Ledger, Operation, Outcome>(
  parts: BucketLedgersParts<Ledger, Operation, Outcome>,
): SharedLedgers<Ledger, Operation, Outcome> {
  type Item = Waiting<Operation, Outcome>;
  const clock = parts.clock ?? Date.now;
  const queues = new Map<string, Item[]>();
  const known = new Map<string, Snapshot<Ledger>>();
  const working = new Map<string, Promise<void>>();
  /** Of keys that nobody works on: all that waits for them has time. */
  const later = new Map<string, NodeJS.Timeout>();
  let writes = 0;

  async function read(key: string): Promise<Snapshot<Ledger>> {
    const entry = await (await parts.bucket()).get(key);
    if (!entry) return { ledger: parts.rules.empty, writers: {}, revision: 0 };
    const stored = Stored.parse(JSON.parse(text.decode(entry.value)));
    return { ledger: parts.rules.parse(stored.ledger), writers: stored.writers, revision: entry.revision };
  }

  async function write(key: string, base: Snapshot<Ledger>, ledger: Ledger, n: number): Promise<void> {
    const at = clock();
    const writers = Object.fromEntries(
      Object.entries(base.writers).filter(([, writer]) => at - writer.at < WRITER_FORGOTTEN_MS),
    );
    writers[parts.instance] = { n, at };
    const value = bytes.encode(JSON.stringify({ v: 1, ledger, writers }));
    const bucket = await parts.bucket();
    const revision =
      base.revision === 0 ? await bucket.create(key, value) : await bucket.update(key, value, base.revision);
    keep(key, { ledger, writers, revision });
  }

  function keep(key: string, snapshot: Snapshot<Ledger>): void {
    known.delete(key);
    if (known.size >= KNOWN_MAX) known.delete(known.keys().next().value as string);
    known.set(key, snapshot);
  }

  /** Stores what these operations make of the ledger, however often somebody else is faster. */
  async function commit(key: string, batch: Item[]): Promise<void> {
    const tries = new Map<number, Map<Item, Outcome>>();
    let items = batch;
    let base = known.get(key);
    let waitMs = RETRY_MS;
    while (items.length > 0) {
      const fresh = base === undefined;
      try {
        base ??= await read(key);
        const stored = tries.get(base.writers[parts.instance]?.n ?? -1);
        // An earlier try did take effect, although nobody said so.
        if (stored) return void settle(batch, stored);
        const { ledger, outcomes, changed } = parts.rules.apply(
          base.ledger,
          items.map(({ operation }) => operation),
          clock(),
        );
        if (!changed && !fresh) {
          base = undefined;
          continue;
        }
        const result = new Map(items.map((item, index) => [item, outcomes[index]!]));
        if (!changed) {
          keep(key, base);
          return void settle(items, result);
        }
        const n = ++writes;
        tries.set(n, result);
        await write(key, base, ledger, n);
        return void settle(items, result);
      } catch (error) {
        base = undefined;
        known.delete(key);
        if (error instanceof BusConflict) continue;
        items = giveUp(items, error);
        await sleep(waitMs);
        waitMs = Math.min(RETRY_MAX_MS, waitMs * 2);
      }
    }
  }

  function settle(items: Item[], outcomes: Map<Item, Outcome>): void {
    for (const item of items) {
      const outcome = outcomes.get(item);
      if (outcome !== undefined) item.resolve(outcome);
    }
  }

  function giveUp(items: Item[], error: unknown): Item[] {
    const now = clock();
    const reason = error instanceof Error ? error.message : String(error);
    for (const item of items)
      if (item.giveUpAt <= now)
        item.reject(new TuttiError('unavailable', `the shared ledger cannot be reached: ${reason}`, { cause: error }));
    return items.filter((item) => item.giveUpAt > now);
  }

  async function work(key: string): Promise<void> {
    for (;;) {
      const batch = queues.get(key)?.splice(0, OPERATIONS_PER_WRITE_MAX) ?? [];
      if (batch.length === 0) {
        queues.delete(key);
        working.delete(key);
        return;
      }
      await commit(key, batch);
    }
  }

  /** The next tick: what comes in this one goes into the same write. */
  function begin(key: string): void {
    clearTimeout(later.get(key));
    later.delete(key);
    working.set(key, new Promise<void>((done) => setImmediate(() => void work(key).then(done))));
  }

  return {
    submit(key, operation, giveUpAt, withinMs = 0) {
      return new Promise((resolve, reject) => {
        const item = { operation, giveUpAt, resolve, reject };
        const queue = queues.get(key);
        if (queue) queue.push(item);
        else queues.set(key, [item]);
        if (working.has(key)) return;
        if (withinMs === 0) return void begin(key);
        if (!later.has(key)) later.set(key, setTimeout(begin, withinMs, key));
      });
    },
    peek: (key) => known.get(key)?.ledger,
    async read(key) {
      if (later.has(key)) begin(key);
      await working.get(key);
      return (await read(key)).ledger;
    },
    async idle() {
      for (const key of [...later.keys()]) begin(key);
      while (working.size > 0) await Promise.all(working.values());
    },
  };
}
