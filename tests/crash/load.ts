/** Load: runs of several kinds over HTTP, so many at a time. A client tries again, under the same key, whatever answers or does not. */
import { setTimeout as sleep } from 'node:timers/promises';

export type Kind = 'react' | 'approve' | 'plan' | 'cancel' | 'cancel-plan';
const KINDS: readonly Kind[] = [
  'react',
  'react',
  'react',
  'approve',
  'approve',
  'plan',
  'plan',
  'cancel',
  'cancel-plan',
];
/** A run may be cancelled so late, and then it is too late for some. */
const CANCEL_AFTER_MS_MAX = 500;
const SECOND_MESSAGES = 0.2;
const POLL_MS = 100;
const RETRY_MS = 100;
const REQUEST_TIMEOUT_MS = 8_000;

export interface Started {
  id: string;
  session: string;
  kind: Kind;
  what: string;
  /** What has to have been done once for it. */
  wanted: string[];
  /** The run before it in its session. */
  after: string | undefined;
  startedAt: number;
  endedAt: number | undefined;
  status: string;
  output: string | null;
  error: string | null;
}

export interface Load {
  readonly runs: Started[];
  /** What was asked for and never accepted, when the time was over. */
  readonly refused: string[];
  /** No more runs are started. Resolves when those under way have ended, or the time is over. */
  finish(timeoutMs: number): Promise<void>;
}

export function isCancelled(kind: Kind): boolean {
  return kind === 'cancel' || kind === 'cancel-plan';
}

/** `urls`: of gateways, taken in turn. `name`: so that two loads do not take each other's runs for their own. */
export function startLoad(options: { urls: string[]; atOnce: number; chance: () => number; name?: string }): Load {
  const { urls, atOnce, chance, name = '' } = options;
  let turn = 0;
  const runs: Started[] = [];
  const refused: string[] = [];
  let next = 0;
  let stopping = false;
  let deadline = Number.POSITIVE_INFINITY;
  const over = () => Date.now() > deadline;

  async function call<T>(
    method: string,
    path: string,
    body?: object,
    headers: Record<string, string> = {},
  ): Promise<T> {
    const response = await fetch(`${urls[turn++ % urls.length]}${path}`, {
      method,
      headers: { 'content-type': 'application/json', ...headers },
      ...(body ? { body: JSON.stringify(body) } : {}),
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${response.status} ${text.slice(0, 300)}`);
    return JSON.parse(text) as T;
  }

  async function surely<T>(work: () => Promise<T>): Promise<T | undefined> {
    while (!over()) {
      try {
        return await work();
      } catch {
        await sleep(RETRY_MS);
      }
    }
  }

  async function start(
    kind: Kind,
    session: string | undefined,
    after: string | undefined,
  ): Promise<Started | undefined> {
    const what = `w${name}${next++}`;
    const goalKind = { react: 'react', approve: 'approve', plan: 'plan', cancel: 'react', 'cancel-plan': 'plan' }[kind];
    const agent = goalKind === 'plan' ? 'plan' : 'react';
    const body = { agent, input: `${goalKind} ${what}`, ...(session ? { session } : {}) };
    const key = `crash-${process.pid}-${what}`;
    const startedAt = Date.now();
    const made = await surely(() =>
      call<{ id: string; session: string }>('POST', '/v1/runs', body, { 'idempotency-key': key }),
    );
    if (!made) {
      refused.push(what);
      return undefined;
    }
    const wanted = goalKind === 'plan' ? [`${what}-a`, `${what}-b`, `${what}-c`] : [what];
    const run: Started = {
      id: made.id,
      session: made.session,
      kind,
      what,
      wanted,
      after,
      startedAt,
      endedAt: undefined,
      status: 'accepted',
      output: null,
      error: null,
    };
    runs.push(run);
    return run;
  }

  async function follow(run: Started): Promise<void> {
    if (isCancelled(run.kind)) {
      await sleep(chance() * CANCEL_AFTER_MS_MAX);
      // Too late is fine, too.
      await call('POST', `/v1/runs/${run.id}/cancel`, { reason: 'changed my mind' }).catch(() => {});
    }
    while (!over()) {
      await sleep(POLL_MS);
      const view = await call<{
        status: string;
        output: string | null;
        error: { message: string } | null;
        ended_at: string | null;
      }>('GET', `/v1/runs/${run.id}`).catch(() => undefined);
      if (!view) continue;
      run.status = view.status;
      if (view.ended_at) {
        run.output = view.output;
        run.error = view.error?.message ?? null;
        run.endedAt = Date.now();
        return;
      }
      if (run.kind === 'approve') await approve(run);
    }
  }

  async function approve(run: Started): Promise<void> {
    const pending = await call<{ data: { id: string }[] }>('GET', `/v1/approvals?run=${run.id}&status=pending`).catch(
      () => undefined,
    );
    for (const { id } of pending?.data ?? [])
      await call('POST', `/v1/approvals/${id}`, { decision: 'approve' }).catch(() => {});
  }

  async function client(): Promise<void> {
    while (!stopping) {
      const kind = KINDS[Math.floor(chance() * KINDS.length)]!;
      const run = await start(kind, undefined, undefined);
      if (!run) return;
      // Now and then a second message of the same session, before the first is answered.
      const second = chance() < SECOND_MESSAGES ? await start('react', run.session, run.id) : undefined;
      await Promise.all([follow(run), second && follow(second)]);
    }
  }

  const clients = Promise.all(Array.from({ length: atOnce }, client));
  return {
    runs,
    refused,
    async finish(timeoutMs) {
      stopping = true;
      deadline = Date.now() + timeoutMs;
      await clients;
    },
  };
}
