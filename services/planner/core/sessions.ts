/** How runs come in: what their session makes of them (queue, reject, interrupt, parallel), and when they may begin (admission). */
import {
  type Bundle,
  type InboundMessage,
  type Interrupted,
  LIMITS,
  labelFrom,
  RunLimits,
  TuttiError,
  USER_LABEL,
  type WhenBusy,
} from '@tutti/contracts';
import { boundInterrupted } from './bounds.ts';
import { cancel, end, guarded } from './ends.ts';
import { needsToolset } from './engine-tools.ts';
import { limitsOf } from './limits.ts';
import { tenantOf, unready } from './rebuild.ts';
import { agentFor, type Round } from './round.ts';
import { isActive, type PartitionState, type QueuedRun, type RunState, sessionKey, type TenantState } from './state.ts';
import { request } from './steps.ts';
import { chooseStrategy } from './strategy.ts';
import { undoNext } from './undo.ts';

type Start = Extract<InboundMessage, { type: 'start' }>;

export function takeStart(round: Round, message: Start): void {
  if (isKnown(round, message.run)) return;
  const agent = agentFor(round.env.bundle(message.start.bundle), message);
  const whenBusy = message.start.parent ? 'parallel' : (message.start.whenBusy ?? agent?.whenBusy ?? 'queue');
  const limits = limitsOf(agent?.limits ?? {}, message.start.limits);
  const refusal = message.start.parent ? null : refuse(round, message, whenBusy);
  const interrupted = refusal || whenBusy !== 'interrupt' ? [] : interrupt(round, message);
  const run = accept(round, message, limits, whenBusy, interrupted);
  if (round.state.barred.has(message.run)) return cancel(round, run, 'system', 'It was cancelled before it began.');
  if (refusal) return end(round, run, refusal.toInfo());
  // A child's place is its root's: were it to wait for one, its parent could wait for ever.
  if (message.start.parent) return begin(round, run);
  admit(round);
}

export function isKnown(round: Round, run: string): boolean {
  return round.state.runs.has(run) || round.state.endedIds.has(run) || round.state.parked.has(run);
}

/** A start that cannot be taken in as it should still has its run, which can be seen to fail. */
export function acceptOnly(round: Round, message: Start): RunState {
  return accept(round, message, RunLimits.parse({}), 'queue', []);
}

function accept(
  round: Round,
  message: Start,
  limits: RunLimits,
  whenBusy: WhenBusy,
  interrupted: Interrupted[],
): QueuedRun {
  const { tenant, session } = message;
  const { whenBusy: _wanted, ...rest } = message.start;
  const start = whenBusy === 'queue' ? rest : { ...rest, whenBusy };
  round.emit(message.run, {
    type: 'run.accepted',
    tenant,
    session,
    start,
    limits,
    ...(interrupted.length > 0 ? { interrupted } : {}),
  });
  return round.run(message.run) as QueuedRun;
}

function refuse(round: Round, message: Start, whenBusy: WhenBusy): TuttiError | null {
  const session = round.state.sessions.get(sessionKey(message.tenant, message.session));
  const busy = session && (session.active.length > 0 || session.queue.length > 0);
  if (busy && whenBusy === 'reject')
    return new TuttiError('conflict', 'a run of this session is under way, and the session takes one at a time');
  if (session && session.queue.length >= LIMITS.sessionQueueMax && whenBusy !== 'interrupt')
    return overloaded(`${LIMITS.sessionQueueMax} runs wait in this session already`);
  const { queuedRunsMax } = round.env.admission;
  if (tenantOf(round.state, message.tenant).queued >= queuedRunsMax)
    return overloaded(`${queuedRunsMax} runs of this tenant wait for their turn already (TUTTI_QUEUED_RUNS_MAX)`);
  return null;
}

function overloaded(message: string): TuttiError {
  return new TuttiError('overloaded', message, { retryAfterMs: LIMITS.overloadedRetryMs });
}

/** Cancels what the session does or was about to do; the new run sees what was asked and done so far. */
function interrupt(round: Round, message: Start): Interrupted[] {
  const session = round.state.sessions.get(sessionKey(message.tenant, message.session));
  if (!session) return [];
  const before: Interrupted[] = [];
  for (const id of [...session.active, ...session.queue]) {
    const run = round.run(id);
    // One that is written out is cancelled when its state is here; its owner sees to that (see `interruptedParked`).
    if (!run) continue;
    if (isActive(run) || run.status === 'queued') {
      before.push(...run.interrupted, {
        run: run.id,
        input: run.start.input,
        actions: isActive(run) ? run.actions : [],
        ...(isActive(run) ? { label: run.label, did: run.did } : {}),
      });
      // With what is open: a question that it asked is part of what it had done.
      cancel(round, run, message.start.principal.id, 'Interrupted by a newer message of its session.');
    }
  }
  return boundInterrupted(before.slice(-INTERRUPTED_MAX));
}
const INTERRUPTED_MAX = 8;

/**
 * Begins as many waiting runs as there are places, one tenant after the other. Not more than a few with one input: what
 * it leads to has to fit into one message of the log.
 */
export function admit(round: Round): void {
  const { state, env } = round;
  for (let count = 0; state.readyRuns > 0 && state.activeRoots < env.admission.activeRunsMax; count++) {
    const next = nextReady(round);
    if (!next) return;
    if (count === BEGUN_MAX) {
      round.more = true;
      return;
    }
    guarded(round, next.id, () => begin(round, next));
  }
}
const BEGUN_MAX = 50;

/** Of the tenants with something to begin, the one with the fewest runs under way (max-min fairness); among equals they take turns. */
function nextReady(round: Round): QueuedRun | undefined {
  let least = round.env.admission.tenantActiveRunsMax;
  let next: QueuedRun | undefined;
  for (const tenant of round.state.tenants.values()) {
    if (tenant.ready.size === 0 || tenant.active >= least) continue;
    const run = firstReady(round, tenant);
    if (!run) continue;
    next = run;
    least = tenant.active;
    if (least === 0) break;
  }
  return next;
}

function firstReady(round: Round, tenant: TenantState): QueuedRun | undefined {
  for (const id of tenant.ready) {
    const run = round.run(id);
    if (run?.status === 'queued') return run;
    unready(round.state, tenant, id);
  }
}

function begin(round: Round, run: QueuedRun): void {
  const agent = round.agent(run);
  if (!agent) {
    const error = new TuttiError('not_found', `the bundle ${run.start.bundle} has no agent "${run.start.agent}"`);
    return end(round, run, error.toInfo());
  }
  const { strategy, reason } = run.start.undo
    ? { strategy: 'direct' as const, reason: `undoes what ${run.start.undo.run} did` }
    : chooseStrategy(agent, run.start);
  const label = labelFrom(agent.labels, USER_LABEL);
  round.emit(run.id, {
    type: 'run.started',
    strategy,
    reason,
    agent: { name: agent.name, model: agent.model },
    ...(label === USER_LABEL ? {} : { label }),
  });
  const started = round.run(run.id)!;
  if (!isActive(started)) return;
  if (started.start.undo) return undoNext(round, started);
  request(round, started, { kind: 'recall' });
  if (agent.knowledge.length > 0) request(round, started, { kind: 'search' });
  if (needsToolset(agent)) request(round, started, { kind: 'describe' });
}

/** Runs of a session that an interrupting start has to see, and that are written out. */
export function interruptedParked(
  state: PartitionState,
  bundle: (hash: string) => Bundle | undefined,
  message: Start,
): string[] {
  if (message.start.parent) return [];
  const agent = agentFor(bundle(message.start.bundle), message);
  if ((message.start.whenBusy ?? agent?.whenBusy) !== 'interrupt') return [];
  const session = state.sessions.get(sessionKey(message.tenant, message.session));
  return session?.active.filter((id) => state.parked.has(id)) ?? [];
}
