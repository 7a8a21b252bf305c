/**
 * How a request becomes a run. Invariants: the answer leaves after the start is stored; the message id is the run's id, so
 * repeating an append changes nothing; with an Idempotency-Key the run's id is a function of tenant, session and key, so a
 * repeated request finds the run that it made before, however long ago that was.
 */
import {
  type Bundle,
  derivedRunId,
  newRunId,
  newSessionId,
  type Principal,
  type RunLimits,
  type RunStart,
  type RunView,
  SessionId,
  sessionIdFor,
  TuttiError,
  type WhenBusy,
} from '@tutti/contracts';
import { z } from 'zod';
import type { Identity } from '../core/api-keys.ts';
import { RequestProblem } from '../core/errors.ts';
import type { GatewayDeps } from './deps.ts';
import { notFound } from './validate.ts';

export const SESSION_CHARS_MAX = 200;
export const IDEMPOTENCY_KEY_CHARS_MAX = 255;
export const SessionName = z
  .string()
  .min(1)
  .max(SESSION_CHARS_MAX)
  .refine((name) => !name.startsWith('ses_') || SessionId.safeParse(name).success, {
    message: 'starts with "ses_" but is no session id',
  });

export interface StartRequest {
  agent: string;
  input: string;
  session: string | undefined;
  limits?: Partial<RunLimits>;
  whenBusy?: WhenBusy | undefined;
  model?: string | undefined;
  /** `wait`: whoever asks can answer a question of the run later. */
  onQuestion: 'wait' | 'end';
  live: boolean;
  idempotencyKey: string | undefined;
  traceparent: string | undefined;
}

export interface PreparedRun {
  run: string;
  session: string;
  /** The run that an earlier request with the same key made. */
  existing: RunView | null;
  /** Throws `unavailable` while the run's partition is too far behind. Before anything is stored, where `existing` is null. */
  admit(): void;
  /** Stores the start, if it is admitted. Only where `existing` is null. */
  commit(): Promise<void>;
}

type Deps = Pick<GatewayDeps, 'bundles' | 'reader' | 'inbound' | 'load' | 'gate' | 'switches'>;

export async function prepareRun(deps: Deps, identity: Identity, request: StartRequest): Promise<PreparedRun> {
  const { tenant, principal } = identity;
  const { session, run } = idsFor(tenant, request);
  const admit = () => deps.load.admit(run);
  const existing = request.idempotencyKey === undefined ? null : await earlierRun(deps, tenant, run, request);
  if (existing) await deps.gate.journalRead(identity, existing);
  if (existing) return { run, session, existing, admit, commit: async () => {} };
  const { hash, bundle } = await currentBundle(deps, tenant);
  checkAgent(bundle, request.agent);
  await deps.gate.runStart(identity, request.agent, { hash, bundle });
  refuseStopped(deps, tenant, request.agent);
  return {
    run,
    session,
    existing: null,
    admit,
    async commit() {
      admit();
      const start = startOf(request, { run, session, hash, principal });
      await deps.inbound.write({ v: 1, type: 'start', tenant, session, run, at: Date.now(), start }, run);
    },
  };
}

/** Throws `forbidden` while the kill switch keeps this agent from starting. */
export function refuseStopped({ switches }: Pick<GatewayDeps, 'switches'>, tenant: string, agent: string): void {
  const stop = switches.stop({ tenant, agent });
  if (stop !== undefined) throw new TuttiError('forbidden', `${stop}: no run of "${agent}" is started`);
}

function startOf(
  request: StartRequest,
  { run, session, hash, principal }: { run: string; session: string; hash: string; principal: Principal },
): RunStart {
  return {
    agent: request.agent,
    input: request.input,
    bundle: hash,
    principal,
    limits: request.limits ?? {},
    root: run,
    memorySession: session,
    depth: 0,
    parent: null,
    brief: null,
    ...(request.traceparent ? { traceparent: request.traceparent } : {}),
    live: request.live,
    ...(request.onQuestion === 'end' ? { onQuestion: 'end' as const } : {}),
    ...(request.whenBusy === undefined ? {} : { whenBusy: request.whenBusy }),
    ...(request.model === undefined ? {} : { model: request.model }),
  };
}

/** A session by id or by the caller's own name for it. */
export function sessionFor(tenant: string, name: string): string {
  return SessionId.safeParse(name).success ? name : sessionIdFor(tenant, name);
}

/** Throws `unavailable` as long as the tenant has no bundle. */
export async function currentBundle(
  deps: Pick<GatewayDeps, 'bundles'>,
  tenant: string,
): Promise<{ hash: string; bundle: Bundle }> {
  const hash = await deps.bundles.current(tenant);
  if (!hash)
    throw new TuttiError(
      'unavailable',
      `no bundle is applied for tenant "${tenant}" yet: run \`tutti apply DIR\` first`,
    );
  return { hash, bundle: await deps.bundles.get(hash) };
}

export function readIdempotencyKey(header: string | string[] | undefined): string | undefined {
  if (header === undefined) return undefined;
  if (typeof header === 'string' && header.length > 0 && header.length <= IDEMPOTENCY_KEY_CHARS_MAX) return header;
  throw new RequestProblem('Idempotency-Key', `must be 1 to ${IDEMPOTENCY_KEY_CHARS_MAX} characters`);
}

function idsFor(
  tenant: string,
  { session: name, idempotencyKey: key }: StartRequest,
): { session: string; run: string } {
  if (key === undefined) {
    const session = name === undefined ? newSessionId() : sessionFor(tenant, name);
    return { session, run: newRunId(session) };
  }
  const session = name === undefined ? sessionIdFor(tenant, `idempotency\n${key}`) : sessionFor(tenant, name);
  return { session, run: derivedRunId(session, `idempotency\n${tenant}\n${session}`, key) };
}

async function earlierRun(deps: Deps, tenant: string, run: string, request: StartRequest): Promise<RunView | null> {
  const view = await deps.reader.run(tenant, run);
  if (view && (view.agent !== request.agent || view.input !== request.input))
    throw new TuttiError('conflict', `this Idempotency-Key made run ${run} with another agent or input; use a new key`);
  return view;
}

function checkAgent(bundle: Bundle, agent: string): void {
  if (Object.hasOwn(bundle.agents, agent)) return;
  const known = Object.keys(bundle.agents);
  const error = notFound('agent', agent);
  throw new TuttiError('not_found', `${error.message}; bundle "${bundle.name}" has ${known.join(', ') || 'none'}`);
}
