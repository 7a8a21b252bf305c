/** Approvals: list, read, decide. A decision is taken in by the run's owner; 200 says that it was, 202 that it will be. */
import { setTimeout as sleep } from 'node:timers/promises';
import { ApprovalId, ApprovalRecord, RunId, TuttiError } from '@tutti/contracts';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Identity } from '../core/api-keys.ts';
import { approvalBody } from '../core/views.ts';
import type { GatewayDeps } from './deps.ts';
import { notFound, parse, parseId } from './validate.ts';

export const ListApprovals = z.strictObject({
  run: RunId.optional(),
  status: ApprovalRecord.shape.status.optional(),
  limit: z.coerce.number().int().min(1).max(200).default(100),
});
export const DecideApproval = z.strictObject({
  decision: z.enum(['approve', 'deny']),
  reason: z.string().max(1_000).optional(),
});
type Decision = z.infer<typeof DecideApproval>['decision'];

/** Pauses between looks at whether a decision was taken in. */
const CONFIRM_WAIT_MS = 5;
const CONFIRM_WAIT_MAX_MS = 250;
const DECIDED = { approve: 'approved', deny: 'denied' } as const;

type ApprovalPath = { Params: { id: string } };

export function approvalRoutes(app: FastifyInstance, deps: GatewayDeps): void {
  app.get('/v1/approvals', async (request) => {
    const query = parse(ListApprovals, request.query, 'query');
    const { tenant } = request.identity;
    const records = query.run
      ? await approvalsOfRun(deps, request.identity, query.run, query)
      : (await deps.memory.read(tenant, { op: 'approvals', status: query.status, limit: query.limit })).approvals;
    return { object: 'list', data: records.slice(0, query.limit).map(approvalBody) };
  });

  app.get<ApprovalPath>('/v1/approvals/:id', async (request) => approvalBody(await knownApproval(deps, request)));

  app.post<ApprovalPath>('/v1/approvals/:id', async (request, reply) => {
    const body = parse(DecideApproval, request.body);
    const record = await knownApproval(deps, request);
    await deps.gate.approvalDecide(
      request.identity,
      record,
      await deps.reader.run(request.identity.tenant, record.run),
    );
    if (record.status !== 'pending') return approvalBody(sameDecision(record, body.decision));
    const { tenant, principal } = request.identity;
    await deps.inbound.write(
      {
        v: 1,
        type: 'approve',
        tenant,
        session: record.session,
        run: record.waitingRun,
        at: Date.now(),
        approval: record.id,
        decision: body.decision,
        by: principal.id,
        ...(body.reason === undefined ? {} : { reason: body.reason }),
      },
      `apr:${record.id}:${body.decision}`,
    );
    const decided = await confirmed(deps, tenant, record.id);
    if (!decided) return reply.code(202).send(approvalBody(record));
    return approvalBody(sameDecision(decided, body.decision));
  });
}

async function knownApproval(deps: GatewayDeps, request: FastifyRequest<ApprovalPath>): Promise<ApprovalRecord> {
  const id = parseId(ApprovalId, request.params.id, 'approval');
  const record = await deps.reader.approval(request.identity.tenant, id);
  if (!record) throw notFound('approval', id);
  return record;
}

/** Deciding the same again changes nothing; deciding otherwise is too late. */
function sameDecision(record: ApprovalRecord, decision: Decision): ApprovalRecord {
  if (record.status === DECIDED[decision]) return record;
  throw new TuttiError('conflict', `approval ${record.id} is ${record.status} already`, {
    details: { status: record.status, decidedBy: record.decidedBy ?? null },
  });
}

async function confirmed(deps: GatewayDeps, tenant: string, id: string): Promise<ApprovalRecord | undefined> {
  const until = performance.now() + deps.config.approvalConfirmMs;
  for (let waitMs = CONFIRM_WAIT_MS; performance.now() < until; waitMs = Math.min(waitMs * 2, CONFIRM_WAIT_MAX_MS)) {
    await sleep(waitMs);
    const record = await deps.reader.approval(tenant, id).catch((error: unknown) => {
      if (error instanceof TuttiError && error.retryable) return null;
      throw error;
    });
    if (record && record.status !== 'pending') return record;
  }
  return undefined;
}

/** What the owner holds open, and what memory has; where memory alone says "pending", the approval's own owner is asked. */
async function approvalsOfRun(
  deps: GatewayDeps,
  identity: Identity,
  run: string,
  { status, limit }: z.infer<typeof ListApprovals>,
): Promise<ApprovalRecord[]> {
  const { tenant } = identity;
  const view = await deps.reader.run(tenant, run);
  if (!view) throw notFound('run', run);
  await deps.gate.journalRead(identity, view);
  const wantsOpen = status === undefined || status === 'pending';
  const open = wantsOpen ? await deps.reader.openApprovals(run) : [];
  const remembered = await deps.memory.read(tenant, { op: 'approvals', run, status, limit }).catch((error: unknown) => {
    if (open !== null && status === 'pending') return { approvals: [] };
    throw error;
  });
  const byId = new Map((open ?? []).map((record) => [record.id, record]));
  for (const record of remembered.approvals) {
    if (byId.has(record.id)) continue;
    const newest = record.status === 'pending' ? await deps.reader.approval(tenant, record.id) : record;
    if (newest && (status === undefined || newest.status === status)) byId.set(record.id, newest);
  }
  return [...byId.values()].sort((a, b) => b.requestedAt - a.requestedAt);
}
