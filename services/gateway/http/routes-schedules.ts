/** Schedules: runs that start by themselves. 200 says that the partition's owner has taken a change in, 202 that it will. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  canonicalJson,
  type InboundMessage,
  LIMITS,
  Name,
  Schedule,
  type ScheduleTiming,
  type ScheduleView,
  SomeRunLimits,
  scheduleIdFor,
  TuttiError,
  toErrorInfo,
} from '@tutti/contracts';
import { checkTiming, nextTick } from '@tutti/runtime';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { RequestProblem } from '../core/errors.ts';
import { iso } from '../core/views.ts';
import type { GatewayDeps } from './deps.ts';
import { currentBundle, SessionName } from './start-run.ts';
import { notFound, parse } from './validate.ts';

export const PutSchedule = z
  .strictObject({
    cron: z.string().min(1).max(200).optional().describe('Five fields, or six with seconds first.'),
    timeZone: z.string().optional().describe('IANA zone of the cron expression; UTC where it is left out.'),
    at: z.iso.datetime({ offset: true }).optional().describe('Instead of `cron`: one moment, ISO 8601.'),
    agent: Name,
    input: z.string().min(1).max(LIMITS.inputCharsMax),
    session: SessionName.optional().describe('Its runs share this conversation; each has its own where left out.'),
    limits: SomeRunLimits.strict().optional(),
    missed: Schedule.shape.missed,
    graceMs: Schedule.shape.graceMs,
    overlap: Schedule.shape.overlap,
    paused: Schedule.shape.paused,
  })
  .refine(({ cron, at }) => (cron === undefined) !== (at === undefined), {
    message: 'give either "cron" or "at"',
    path: ['cron'],
  })
  .refine(({ at, timeZone }) => at === undefined || timeZone === undefined, {
    message: 'belongs to "cron"; a moment says its own offset',
    path: ['timeZone'],
  });

type Path = { Params: { name: string } };
/** Ticks that an answer shows. */
const TICKS_SHOWN = 5;

export function scheduleRoutes(app: FastifyInstance, deps: GatewayDeps): void {
  app.put<Path>('/v1/schedules/:name', async (request, reply) => {
    const name = nameOf(request.params.name);
    const { cron, timeZone, at, session = null, limits = {}, ...rest } = parse(PutSchedule, request.body);
    const timing = checkedTiming(cron, timeZone, at);
    const { tenant, principal } = request.identity;
    const { bundle } = await currentBundle(deps, tenant);
    if (!Object.hasOwn(bundle.agents, rest.agent)) throw notFound('agent', rest.agent);
    await deps.gate.runStart(request.identity, rest.agent);
    const known = await schedulesOf(deps, tenant);
    if (!known.some((one) => one.name === name) && known.length >= LIMITS.schedulesPerTenantMax)
      throw new TuttiError('limit_exceeded', `a tenant has ${LIMITS.schedulesPerTenantMax} schedules at most`);
    const id = scheduleIdFor(tenant, name);
    const schedule: Schedule = { id, name, timing, session, limits, principal, ...rest };
    await tell(deps, { v: 1, type: 'schedule_set', tenant, session: id, run: id, at: Date.now(), schedule });
    const wanted = canonicalJson(Schedule.parse(schedule));
    const taken = await shown(
      deps,
      tenant,
      id,
      (view) => view !== undefined && canonicalJson(Schedule.parse(view)) === wanted,
    );
    const view = taken ?? { ...schedule, nextAt: null, lastAt: null, lastRun: null, lastReason: null };
    reply.code(taken ? 200 : 202).send(body(view));
  });

  app.get('/v1/schedules', async (request) => {
    const data = (await schedulesOf(deps, request.identity.tenant)).map(body);
    return { object: 'list', data: data.sort((a, b) => (a.name < b.name ? -1 : 1)) };
  });

  app.get<Path>('/v1/schedules/:name', async (request) => {
    const found = await known(deps, request.identity.tenant, request.params.name);
    return body(found);
  });

  app.delete<Path>('/v1/schedules/:name', async (request, reply) => {
    const { tenant } = request.identity;
    const { id, name } = await known(deps, tenant, request.params.name);
    await tell(deps, { v: 1, type: 'schedule_remove', tenant, session: id, run: id, at: Date.now() });
    const gone = await shown(deps, tenant, id, (view) => view === undefined);
    reply.code(gone === null ? 202 : 200).send({ id, object: 'schedule', name, deleted: true });
  });
}

function checkedTiming(cron: string | undefined, timeZone = 'UTC', at: string | undefined): ScheduleTiming {
  if (cron === undefined) {
    const timing = { type: 'once' as const, at: Date.parse(at!) };
    if (timing.at <= Date.now()) throw new RequestProblem('at', 'is in the past');
    return timing;
  }
  const timing = { type: 'cron' as const, cron, timeZone };
  try {
    checkTiming(timing);
  } catch (error) {
    throw new RequestProblem('cron', toErrorInfo(error).message);
  }
  if (nextTick(timing, Date.now()) === null) throw new RequestProblem('cron', `"${cron}" never comes due`);
  return timing;
}

/** Each change is a message of its own; the append alone repeats itself. */
function tell(deps: GatewayDeps, message: InboundMessage): Promise<void> {
  return deps.inbound.write(message, `schedule:${randomUUID()}`);
}

const CONFIRM_WAIT_MS = 5;
const CONFIRM_WAIT_MAX_MS = 250;

/** The schedule (or that it is gone) once the owner shows it as wanted; null: not in time. */
async function shown(
  deps: GatewayDeps,
  tenant: string,
  id: string,
  wanted: (view: ScheduleView | undefined) => boolean,
): Promise<ScheduleView | undefined | null> {
  const until = performance.now() + deps.config.approvalConfirmMs;
  for (let waitMs = CONFIRM_WAIT_MS; performance.now() < until; waitMs = Math.min(waitMs * 2, CONFIRM_WAIT_MAX_MS)) {
    await sleep(waitMs);
    const reply = await deps.owner.ask(id, { op: 'schedules', tenant });
    if (reply?.op !== 'schedules') continue;
    const view = reply.schedules.find((schedule) => schedule.id === id);
    if (wanted(view)) return view;
  }
  return null;
}

function nameOf(name: string): string {
  const parsed = Name.safeParse(name);
  if (parsed.success) return parsed.data;
  throw new RequestProblem('name', parsed.error.issues[0]!.message);
}

async function known(deps: GatewayDeps, tenant: string, name: string): Promise<ScheduleView> {
  const id = scheduleIdFor(tenant, name);
  const reply = await deps.owner.ask(id, { op: 'schedules', tenant });
  if (reply?.op !== 'schedules') throw away();
  const found = reply.schedules.find((schedule) => schedule.id === id);
  if (!found) throw notFound('schedule', name);
  return found;
}

/** Every partition holds its own. */
async function schedulesOf(deps: GatewayDeps, tenant: string): Promise<ScheduleView[]> {
  const count = deps.partitions.count;
  if (count === undefined) throw away();
  const replies = await Promise.all(
    Array.from({ length: count }, (_, partition) => deps.owner.askPartition(partition, { op: 'schedules', tenant })),
  );
  return replies.flatMap((reply) => {
    if (reply?.op !== 'schedules') throw away();
    return reply.schedules;
  });
}

function away(): TuttiError {
  return new TuttiError('unavailable', 'a partition has no owner right now; ask again', { retryAfterMs: 1_000 });
}

function body(view: ScheduleView) {
  const { timing, nextAt, lastAt, lastRun, lastReason, principal, ...rest } = view;
  return {
    object: 'schedule' as const,
    ...rest,
    ...(timing.type === 'cron' ? { cron: timing.cron, timeZone: timing.timeZone } : { at: iso(timing.at) }),
    principal: principal.id,
    next: ticks(view),
    last: lastAt === null ? null : { at: iso(lastAt), run: lastRun, reason: lastReason },
  };
}

function ticks({ timing, nextAt, paused }: ScheduleView): string[] {
  if (paused) return [];
  if (timing.type === 'once') return nextAt === null && timing.at <= Date.now() ? [] : [iso(timing.at)];
  const list: string[] = [];
  for (
    let at = nextAt ?? nextTick(timing, Date.now());
    at !== null && list.length < TICKS_SHOWN;
    at = nextTick(timing, at)
  )
    list.push(iso(at));
  return list;
}
