/**
 * Answers that may be given again, and calls that wait for the same one. Tenant, bundle and all that was asked are in the
 * key. Only what was checked is kept: whoever puts something in says so by putting it in. In this process alone: a replica
 * that was not asked before asks its provider.
 */
import type { CompleteResult } from '@tutti/contracts';

export interface CacheLimits {
  entriesMax: number;
  /** Characters of all answers together. */
  charsMax: number;
}

interface Entry {
  result: CompleteResult;
  chars: number;
  until: number;
  meaning: { surroundings: string; vector: readonly number[] } | undefined;
}

export interface AnswerCache {
  get(key: string): CompleteResult | undefined;
  put(
    key: string,
    result: CompleteResult,
    ttlMs: number,
    meaning?: { surroundings: string; vector: readonly number[] },
  ): void;
  /** The nearest of the same surroundings that is at least so near. */
  near(surroundings: string, vector: readonly number[], similarity: number): CompleteResult | undefined;
  /** The same call is made once at a time: whoever comes second waits for the first; when that fails, asks itself. */
  once(key: string, work: () => Promise<CompleteResult>): Promise<{ result: CompleteResult; joined: boolean }>;
  readonly size: number;
}

export function createAnswerCache(limits: CacheLimits, clock: () => number = Date.now): AnswerCache {
  const entries = new Map<string, Entry>();
  const open = new Map<string, Promise<CompleteResult>>();
  let chars = 0;

  function drop(key: string): void {
    const entry = entries.get(key);
    if (!entry) return;
    entries.delete(key);
    chars -= entry.chars;
  }

  function fresh(key: string, entry: Entry): boolean {
    if (entry.until > clock()) return true;
    drop(key);
    return false;
  }

  return {
    get size() {
      return entries.size;
    },
    get(key) {
      const entry = entries.get(key);
      if (!entry || !fresh(key, entry)) return undefined;
      entries.delete(key);
      entries.set(key, entry);
      return entry.result;
    },
    put(key, result, ttlMs, meaning) {
      const size = JSON.stringify(result.message).length + (meaning ? meaning.vector.length * 8 : 0);
      if (size > limits.charsMax / 4) return;
      drop(key);
      entries.set(key, { result, chars: size, until: clock() + ttlMs, meaning });
      chars += size;
      for (const oldest of entries.keys()) {
        if (entries.size <= limits.entriesMax && chars <= limits.charsMax) break;
        drop(oldest);
      }
    },
    near(surroundings, vector, similarity) {
      let best: { result: CompleteResult; near: number } | undefined;
      for (const [key, entry] of entries) {
        if (entry.meaning?.surroundings !== surroundings || !fresh(key, entry)) continue;
        const near = cosine(entry.meaning.vector, vector);
        if (near >= similarity && near > (best?.near ?? -1)) best = { result: entry.result, near };
      }
      return best?.result;
    },
    async once(key, work) {
      for (let under = open.get(key); under; under = open.get(key)) {
        const joined = await under.catch(() => undefined);
        if (joined) return { result: joined, joined: true };
      }
      const mine = work();
      open.set(key, mine);
      const ended = () => {
        if (open.get(key) === mine) open.delete(key);
      };
      mine.then(ended, ended);
      return { result: await mine, joined: false };
    },
  };
}

function cosine(a: readonly number[], b: readonly number[]): number {
  if (a.length !== b.length) return -1;
  let [dot, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    dot += a[i]! * b[i]!;
    aa += a[i]! * a[i]!;
    bb += b[i]! * b[i]!;
  }
  return aa === 0 || bb === 0 ? -1 : dot / Math.sqrt(aa * bb);
}
