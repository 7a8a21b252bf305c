/** How people see a run that the owner still knows. */
import type { RunView } from '@tutti/contracts';
import type { RunState } from './state.ts';

export function viewOf(run: RunState): RunView {
  return {
    id: run.id,
    tenant: run.tenant,
    session: run.session,
    agent: run.start.agent,
    status: run.status,
    input: run.start.input,
    output: run.output,
    citations: run.citations,
    error: run.error,
    usage: run.usage,
    parent: run.start.parent?.run ?? null,
    root: run.start.root,
    principal: run.start.principal,
    bundle: run.start.bundle,
    degraded: run.degraded,
    createdAt: run.acceptedAt,
    endedAt: run.endedAt,
    version: run.version,
  };
}
