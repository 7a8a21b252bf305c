/** Approvals: list, read, decide. A decision is taken in by the run's owner; 200 says that it was, 202 that it will be. */
import { setTimeout as sleep } from 'node:timers/promises';
import { ApprovalId, ApprovalRecord, contentHash, RunId, TuttiError } from '@tutti/contracts';
import { ATTR } from '@tutti/runtime';
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
  /** With `approve`: what is to be done instead. Checked against the tool's schema and the policies before it is done. */
  arguments: z.record(z.string(), z.unknown()).optional(),
  /** Of the arguments that the approver has seen: refused when others are asked about meanwhile. Needed for a yes after another approver has changed them. */
  argumentsHash: z.string().max(200).optional(),
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
    // A request, and so a trace, of its own: these lead to the run's.
    request.span?.attributes({
      [ATTR.run]: record.waitingRun,
      [ATTR.root]: record.run,
      [ATTR.approval]: record.id,
      [ATTR.approvalStatus]: DECIDED[body.decision],
      [ATTR.toolName]: record.tool,
    });
    await deps.gate.approvalDecide(
      request.identity,
      record,
      await deps.reader.run(request.identity.tenant, record.run),
    );
    if (record.status !== 'pending') return approvalBody(sameDecision(record, body.decision));
    const { tenant, principal } = request.identity;
    checkDecision(record, body, principal);
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
        argumentsHash: record.argumentsHash,
        ...(body.arguments ? { arguments: body.arguments } : {}),
        ...(body.reason === undefined ? {} : { reason: body.reason }),
      },
      `apr:${record.id}:${body.decision}:${contentHash([principal.id, record.argumentsHash, body.arguments ?? null])}`,
    );
    const decided = await confirmed(deps, tenant, record.id, principal.id);
    if (!decided) return reply.code(202).send(approvalBody(record));
    return approvalBody(decided.status === 'pending' ? decided : sameDecision(decided, body.decision));
  });
}

async function knownApproval(deps: GatewayDeps, request: FastifyRequest<ApprovalPath>): Promise<ApprovalRecord> {
  const id = parseId(ApprovalId, request.params.id, 'approval');
  const record = await deps.reader.approval(request.identity.tenant, id);
  if (!record) throw notFound('approval', id);
  return record;
}

/** Who is not among those who may answer, or has seen something else than what is asked now, decides nothing. */
function checkDecision(
  record: ApprovalRecord,
  body: z.infer<typeof DecideApproval>,
  { id, roles }: { id: string; roles: string[] },
): void {
  const { approvers, argumentsHash } = record;
  if (approvers && !approvers.some((name) => name === id || roles.includes(name)))
    throw new TuttiError('forbidden', `approval ${record.id} is for ${approvers.join(' or ')} to decide`);
  if (body.argumentsHash !== undefined && body.argumentsHash !== argumentsHash)
    throw new TuttiError('conflict', `approval ${record.id} is about other arguments by now`, {
      details: { argumentsHash },
    });
  // What was asked at first and what would be done are not the same any more: a yes has to say which it is about.
  if (record.asked && body.decision === 'approve' && body.argumentsHash === undefined && !body.arguments)
    throw new TuttiError(
      'conflict',
      `another approver has changed the arguments of approval ${record.id} to ${JSON.stringify(record.arguments)}: look at them, and send "argumentsHash": "${argumentsHash}" with your yes`,
      { details: { argumentsHash, arguments: record.arguments } },
    );
  if (!body.arguments) return;
  if (body.decision === 'deny')
    throw new TuttiError('invalid_request', 'arguments: go with "approve" alone; a refusal has a reason');
  if (record.policy === UNKNOWN_POLICY)
    throw new TuttiError(
      'invalid_request',
      'arguments: what may have happened already is repeated as it was, or not at all',
    );
}
const UNKNOWN_POLICY = 'tutti.effect-unknown';

/** Deciding the same again changes nothing; deciding otherwise is too late. */
function sameDecision(record: ApprovalRecord, decision: Decision): ApprovalRecord {
  if (record.status === DECIDED[decision]) return record;
  throw new TuttiError('conflict', `approval ${record.id} is ${record.status} already`, {
    details: { status: record.status, decidedBy: record.decidedBy ?? null },
  });
}

/** Decided, or (where several have to say yes) this one's yes is in. */
async function confirmed(
  deps: GatewayDeps,
  tenant: string,
  id: string,
  by: string,
): Promise<ApprovalRecord | undefined> {
  const until = performance.now() + deps.config.approvalConfirmMs;
  for (let waitMs = CONFIRM_WAIT_MS; performance.now() < until; waitMs = Math.min(waitMs * 2, CONFIRM_WAIT_MAX_MS)) {
    await sleep(waitMs);
    const record = await deps.reader.approval(tenant, id).catch((error: unknown) => {
      if (error instanceof TuttiError && error.retryable) return null;
      throw error;
    });
    if (record && (record.status !== 'pending' || record.approvedBy?.includes(by))) return record;
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
