/** What the owner answers to whoever asks about its partition. */
import {
  type OwnerReply,
  type OwnerRequest,
  OwnerRequest as OwnerRequestSchema,
  type PartitionLoad,
  type ScheduleView,
} from '@tutti/contracts';
import {
  isActive,
  openQuestions,
  type PartitionState,
  pendingApprovals,
  type RunState,
  sessionKey,
} from '../core/state.ts';
import { viewOf } from '../core/view.ts';
import type { EntryCache } from './entry-cache.ts';
import { parseJson } from './intake.ts';

const text = new TextDecoder();

export interface Known {
  state: PartitionState;
  cache: EntryCache;
  /** A parked run's state, without bringing it back: a copy, or one that nobody changes. */
  parked(run: string): Promise<RunState | undefined>;
  load(): PartitionLoad;
}

/** To be called when the state is what the log says; what it tells of it then is read before anything is waited for. */
export async function answer(known: Known, data: Uint8Array): Promise<OwnerReply> {
  const request = OwnerRequestSchema.safeParse(parseJson(text.decode(data)));
  return request.success ? reply(known, request.data) : { op: 'unknown' };
}

async function reply(known: Known, request: OwnerRequest): Promise<OwnerReply> {
  const { state } = known;
  switch (request.op) {
    case 'run':
      return ofRun(known, request.run, (run) => ({ op: 'run', run: viewOf(run) }));
    case 'entries': {
      const status = state.runs.get(request.run)?.status ?? state.parked.get(request.run)?.status;
      return status ? { op: 'entries', ...known.cache.after(request.run, request.after), status } : { op: 'unknown' };
    }
    case 'approvals':
      return ofRun(known, request.run, (run) => ({ op: 'approvals', approvals: pendingApprovals(run) }));
    case 'approval':
      return approval(known, request.approval);
    case 'session':
      return session(state, request.tenant, request.session);
    case 'schedules':
      return { op: 'schedules', schedules: schedules(state, request.tenant) };
    case 'toolset': {
      const tools = state.toolsets.get(request.hash);
      return tools ? { op: 'toolset', hash: request.hash, tools } : { op: 'unknown' };
    }
    case 'load':
      return { op: 'load', load: known.load() };
    default:
      return request satisfies never;
  }
}

/** Said at once where the run is in memory: after any wait the state may be ahead of the log again. */
function ofRun(known: Known, id: string, say: (run: RunState) => OwnerReply): OwnerReply | Promise<OwnerReply> {
  const { state } = known;
  const run = state.runs.get(id);
  if (run) return say(run);
  if (!state.parked.has(id)) return { op: 'unknown' };
  return known.parked(id).then((parked) => (parked ? say(parked) : { op: 'unknown' }));
}

function approval(known: Known, id: string): OwnerReply | Promise<OwnerReply> {
  const { state } = known;
  const holder = state.approvals.get(id) ?? whoDecided(state, id);
  if (!holder) return { op: 'unknown' };
  return ofRun(known, holder, (run) => {
    const record = run.status !== 'queued' && run.approvals.find((candidate) => candidate.id === id);
    return record ? { op: 'approval', approval: record, tenant: run.tenant } : { op: 'unknown' };
  });
}

/** The run of an approval that is decided. */
function whoDecided(state: PartitionState, id: string): string | undefined {
  for (const { brief, run } of state.runs.briefs()) {
    if (brief) {
      if (brief.decided.includes(id)) return brief.id;
    } else if (run.status !== 'queued' && run.approvals.some((approval) => approval.id === id)) return run.id;
  }
}

function session(state: PartitionState, tenant: string, id: string): OwnerReply {
  const known = state.sessions.get(sessionKey(tenant, id));
  const questions = (known?.active ?? []).flatMap((run) => {
    const active = state.runs.get(run);
    if (active && isActive(active)) return openQuestions(active);
    return state.parked.get(run)?.question ?? [];
  });
  return { op: 'session', active: known?.active ?? [], queued: known?.queue ?? [], question: questions[0] ?? null };
}

function schedules(state: PartitionState, tenant: string): ScheduleView[] {
  return [...state.schedules.values()]
    .filter((known) => known.tenant === tenant)
    .map(({ schedule, nextAt, lastAt, lastRun, lastReason }) => ({ ...schedule, nextAt, lastAt, lastRun, lastReason }));
}
