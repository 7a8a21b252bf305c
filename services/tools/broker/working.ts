/**
 * Which calls this process has in its hands, from before their intent is written until after their outcome is; since
 * when an attempt without outcome is known to be over; and which attempts were given up before they sent anything.
 */
/** Attempts that are remembered of each sort. */
const REMEMBERED_MAX = 10_000;

export interface Working {
  has(tenant: string, callId: string): boolean;
  start(tenant: string, callId: string): () => void;
  readonly size: number;
  /** Monotonic milliseconds from which on the attempt with this token cannot send anything any more. */
  overSince(token: string, atMs: number): number;
  /** The attempt with this token has sent nothing and never will, whatever the ledger says of it. */
  giveUpUnsent(token: string): void;
  isUnsent(token: string): boolean;
}

export function createWorking(): Working {
  const calls = new Map<string, number>();
  const lost = new Map<string, number>();
  const unsent = new Set<string>();
  const key = (tenant: string, callId: string) => `${tenant}/${callId}`;
  return {
    has: (tenant, callId) => calls.has(key(tenant, callId)),
    get size() {
      return calls.size;
    },
    start(tenant, callId) {
      const id = key(tenant, callId);
      calls.set(id, (calls.get(id) ?? 0) + 1);
      return () => {
        const left = calls.get(id)! - 1;
        if (left === 0) calls.delete(id);
        else calls.set(id, left);
      };
    },
    overSince(token, atMs) {
      const known = lost.get(token);
      if (known !== undefined) return known;
      if (lost.size >= REMEMBERED_MAX) lost.delete(lost.keys().next().value as string);
      lost.set(token, atMs);
      return atMs;
    },
    giveUpUnsent(token) {
      if (unsent.size >= REMEMBERED_MAX) unsent.delete(unsent.keys().next().value as string);
      unsent.add(token);
    },
    isUnsent: (token) => unsent.has(token),
  };
}
