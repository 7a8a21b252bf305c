/**
 * The planner's spans. A run's span id is a function of the run's id, so that every step can name it as its parent while
 * it is still open, and whoever owns the run at its end writes it, with the times from the log. No span is held open.
 */
import { hash } from 'node:crypto';
import type { RunEntry } from '@tutti/contracts';
import { formatTraceparent, parseTraceparent, type Telemetry } from '@tutti/runtime';
import { isEnded, type PartitionState, type RunState } from '../core/state.ts';

function spanIdOf(run: string): string {
  return hash('sha256', `span\n${run}`, 'hex').slice(0, 16);
}

const traceparents = new WeakMap<RunState['start'], string>();

/** The trace context of the run's own span; undefined when the run is not traced. Asked for at every step. */
export function runTraceparent(run: Pick<RunState, 'id' | 'start'>): string | undefined {
  const known = traceparents.get(run.start);
  if (known) return known;
  const parent = parseTraceparent(run.start.traceparent);
  if (!parent) return;
  const traceparent = formatTraceparent(parent.traceId, spanIdOf(run.id));
  traceparents.set(run.start, traceparent);
  return traceparent;
}

/** A child's span hangs below its parent run's. */
function parentOf(run: RunState): string | undefined {
  const trace = parseTraceparent(run.start.traceparent);
  if (!trace || !run.start.parent) return run.start.traceparent;
  return formatTraceparent(trace.traceId, spanIdOf(run.start.parent.run));
}

export function traceEntries(telemetry: Telemetry, state: PartitionState, entries: RunEntry[]): void {
  if (!telemetry.enabled) return;
  for (const entry of entries) {
    const run = state.runs.get(entry.run);
    if (!run?.start.traceparent) continue;
    if (entry.type === 'approval.decided') traceApproval(telemetry, run, entry.approval, entry.at);
    if (entry.type === 'run.completed' || entry.type === 'run.failed' || entry.type === 'run.cancelled')
      traceRun(telemetry, run, entry);
  }
}

function traceApproval(telemetry: Telemetry, run: RunState, id: string, at: number): void {
  if (run.status === 'queued') return;
  const approval = run.approvals.find((candidate) => candidate.id === id);
  if (!approval) return;
  telemetry
    .span('approval.wait', {
      parent: runTraceparent(run),
      startedAt: approval.requestedAt,
      attributes: {
        'tutti.approval.id': id,
        'tutti.approval.status': approval.status,
        'gen_ai.tool.name': approval.tool,
        'gen_ai.tool.call.id': approval.callId,
      },
    })
    .end({ endedAt: at });
}

function traceRun(
  telemetry: Telemetry,
  run: RunState,
  entry: Extract<RunEntry, { type: 'run.completed' | 'run.failed' | 'run.cancelled' }>,
): void {
  if (!isEnded(run)) return;
  telemetry
    .span(run.start.parent ? `invoke_agent ${run.start.agent}` : `invoke_workflow ${run.start.agent}`, {
      parent: parentOf(run),
      spanId: spanIdOf(run.id),
      startedAt: run.acceptedAt,
      attributes: {
        'gen_ai.operation.name': run.start.parent ? 'invoke_agent' : 'invoke_workflow',
        'gen_ai.agent.name': run.start.agent,
        'gen_ai.agent.version': run.start.bundle.slice(0, 12),
        'gen_ai.conversation.id': run.start.memorySession,
        'gen_ai.usage.input_tokens': run.usage.inputTokens,
        'gen_ai.usage.output_tokens': run.usage.outputTokens,
        'tutti.run.id': run.id,
        'tutti.run.status': run.status,
        'tutti.run.strategy': run.strategy,
        'tutti.run.entries': run.version,
        'tutti.tenant': run.tenant,
      },
    })
    .end({ endedAt: entry.at, ...(entry.type === 'run.failed' ? { error: entry.error.message } : {}) });
}
