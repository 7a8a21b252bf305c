/**
 * What was decided about a call, and by which policies: from the journal of its run, the state in which the run asked for
 * it, and the effect ledger. Nothing is decided anew: policies may be others by now.
 */
import {
  type Bundle,
  CallId,
  EffectRecord,
  type History,
  type Label,
  type RunEntry,
  RunId,
  type RunView,
  STREAMS,
  subjects,
  TuttiError,
} from '@tutti/contracts';
import { policyEngineOf } from '@tutti/policy';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { iso } from '../core/views.ts';
import type { GatewayDeps } from './deps.ts';
import { FORK_TIMEOUT_MS } from './routes-journal.ts';
import { notFound, parse, parseId } from './validate.ts';

export const ExplainCall = z.strictObject({
  run: RunId.optional().describe('The run that made the call; looked for where it is left out.'),
});
/** Newest runs that are looked through for a call that the ledger does not know: pure ones, and those that were denied. */
const RUNS_SEARCHED_MAX = 50;

type Path = { Params: { id: string } };
type Requested = Extract<RunEntry, { type: 'step.requested' }>;

export function callRoutes(app: FastifyInstance, deps: GatewayDeps): void {
  app.get<Path>('/v1/calls/:id/decisions', async (request) => {
    const call = parseId(CallId, request.params.id, 'call');
    const { run } = parse(ExplainCall, request.query, 'query');
    const { identity } = request;
    const { tenant } = identity;
    const recorded = await ledgerOf(deps, tenant, call);
    const { view, entries } = await findRun(deps, tenant, call, run ?? recorded?.run);
    await deps.gate.journalRead(identity, view);
    const asked = requestedIn(entries, call)!;
    if (asked.step.kind !== 'execute')
      throw new TuttiError('conflict', `${call} is no call of a tool, but ${asked.step.kind}`);
    const decisions = decisionsIn(entries, call);
    const ids = decisions.flatMap(({ policy }) => policy?.split(', ') ?? []);
    const state = await stateThen(deps, tenant, view.id, asked);
    return {
      object: 'call.decisions',
      call,
      run: view.id,
      agent: view.agent,
      bundle: view.bundle,
      tool: asked.step.call.name,
      arguments: asked.step.call.arguments,
      ...state,
      decisions,
      policies: policiesOf(await deps.bundles.get(view.bundle), new Set(ids)),
      ledger: recorded ? { kind: recorded.kind, attempt: recorded.attempt, at: iso(recorded.at) } : null,
    };
  });
}

/** The last word of the effect ledger on a call. */
async function ledgerOf({ bus }: GatewayDeps, tenant: string, call: string): Promise<EffectRecord | undefined> {
  const last = await bus.last(STREAMS.effects.name, subjects.effect(tenant, call));
  return last ? EffectRecord.parse(JSON.parse(new TextDecoder().decode(last.data))) : undefined;
}

interface Found {
  view: RunView;
  entries: RunEntry[];
}

async function findRun(deps: GatewayDeps, tenant: string, call: string, run: string | undefined): Promise<Found> {
  if (run !== undefined) {
    const view = await deps.reader.run(tenant, run);
    if (!view) throw notFound('run', run);
    const entries = await wholeJournal(deps, view);
    if (requestedIn(entries, call)) return { view, entries };
    throw new TuttiError('not_found', `run ${run} never made the call ${call}`);
  }
  const filter = { op: 'runs', children: true, limit: RUNS_SEARCHED_MAX } as const;
  for (const view of (await deps.memory.read(tenant, filter)).runs) {
    const entries = await wholeJournal(deps, view);
    if (requestedIn(entries, call)) return { view, entries };
  }
  throw new TuttiError(
    'not_found',
    `the newest ${RUNS_SEARCHED_MAX} runs did not make the call ${call}: name the run that did (run=…)`,
  );
}

async function wholeJournal({ reader }: GatewayDeps, { tenant, id }: RunView): Promise<RunEntry[]> {
  const entries: RunEntry[] = [];
  for (;;) {
    const more = await reader.entries(tenant, id, entries.at(-1)?.n ?? 0);
    if (more.length === 0) return entries;
    entries.push(...more);
  }
}

function requestedIn(entries: RunEntry[], call: string): Requested | undefined {
  return entries.find((entry): entry is Requested => entry.type === 'step.requested' && entry.callId === call);
}

interface Decision {
  at: string;
  decision: string;
  policy: string | null;
  /** The human who decided. */
  by: string | null;
  reason: string;
}

function decisionsIn(entries: RunEntry[], call: string): Decision[] {
  const approvals = new Set<string>();
  return entries.flatMap((entry): Decision[] => {
    const at = iso(entry.at);
    switch (entry.type) {
      case 'approval.requested': {
        const { id, callId, policy, reason } = entry.approval;
        if (callId !== call) return [];
        approvals.add(id);
        return [{ at, decision: 'approval', policy, by: null, reason }];
      }
      case 'approval.decided': {
        const { approval, decision, by, reason = '' } = entry;
        return approvals.has(approval) ? [{ at, decision, policy: null, by, reason }] : [];
      }
      case 'step.completed': {
        if (entry.callId !== call || entry.result.kind !== 'execute') return [];
        const { policy, dispatched, action } = entry.result;
        if (policy === undefined) return [];
        const denied = dispatched === false;
        return [{ at, decision: denied ? 'deny' : 'allow', policy, by: null, reason: denied ? action.content : '' }];
      }
      default:
        return [];
    }
  });
}

/** What had led to the call when the run asked for it. The state is the planner's own: what is not there is left out. */
async function stateThen(deps: GatewayDeps, tenant: string, run: string, { n, callId }: Requested) {
  const options = { tenant, timeoutMs: FORK_TIMEOUT_MS };
  const { state } = await deps.caller.call('state', { run, version: n }, options);
  const open = (state as { open?: Record<string, { label?: Label; did?: History }> } | null)?.open?.[callId];
  return { label: open?.label ?? null, done: open?.did ?? null };
}

function policiesOf(bundle: Bundle, ids: Set<string>) {
  const engine = policyEngineOf(bundle);
  return [...ids].flatMap((id) => {
    const known = engine.policy(id);
    return known ? [{ ...known, reason: known.reason ?? null }] : [];
  });
}
