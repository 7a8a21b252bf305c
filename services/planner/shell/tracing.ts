/**
 * Where a run's spans hang. A run's span id is a function of the run's id, and a plan's of the call that makes it, so that
 * every step can name its parent while that is still open, and whoever owns the run at its end writes it, with the times
 * from the log. No span is held open. A run that nobody traced (a schedule's, say) begins a trace of its own, which is a
 * function of the run at the top.
 */
import { hash } from 'node:crypto';
import { formatTraceparent, parseTraceparent, type Telemetry, type TraceContext } from '@tutti/runtime';
import type { RunState } from '../core/state.ts';

type Traced = Pick<RunState, 'id' | 'start'>;

const SPAN_DIGITS = 16;
const TRACE_DIGITS = 32;

function idOf(what: string, digits: number): string {
  return hash('sha256', what, 'hex').slice(0, digits);
}

export function spanIdOf(run: string): string {
  return idOf(`span\n${run}`, SPAN_DIGITS);
}

/** Of what belongs to a run and is written when it has ended: the same whoever writes it, and however often. */
export function partIdOf(run: string, part: string): string {
  return idOf(`part\n${run}\n${part}`, SPAN_DIGITS);
}

const own = new WeakMap<RunState['start'], TraceContext>();

/** Of whoever asked for the run, or the trace that it begins. Undefined when it is not traced. */
export function askedIn(telemetry: Telemetry, run: Traced): TraceContext | undefined {
  const given = parseTraceparent(run.start.traceparent);
  if (given || !telemetry.enabled) return given;
  const known = own.get(run.start);
  if (known) return known;
  const traceId = idOf(`trace\n${run.start.root}`, TRACE_DIGITS);
  const begun = { traceId, spanId: '', sampled: telemetry.samples?.(traceId) ?? true };
  own.set(run.start, begun);
  return begun;
}

const traceparents = new WeakMap<RunState['start'], string>();

/** The trace context of the run's own span; undefined when the run is not traced. Asked for at every step. */
export function runTraceparent(telemetry: Telemetry, run: Traced): string | undefined {
  const known = traceparents.get(run.start);
  if (known) return known;
  const asked = askedIn(telemetry, run);
  if (!asked) return;
  const traceparent = formatTraceparent(asked.traceId, spanIdOf(run.id), asked.sampled);
  traceparents.set(run.start, traceparent);
  return traceparent;
}

/** What the run's own span hangs below: its parent run's, or whoever asked for it. Undefined: nothing, it begins the trace. */
export function parentOf(telemetry: Telemetry, run: Traced): string | undefined {
  const asked = askedIn(telemetry, run);
  if (!asked) return;
  if (run.start.parent) return formatTraceparent(asked.traceId, spanIdOf(run.start.parent.run), asked.sampled);
  return asked.spanId === '' ? undefined : run.start.traceparent;
}

/** The context of a plan that is made by this model call, which hangs below it. */
export function planTraceparent(telemetry: Telemetry, run: Traced, callId: string): string | undefined {
  const asked = askedIn(telemetry, run);
  return asked && formatTraceparent(asked.traceId, partIdOf(run.id, `plan ${callId}`), asked.sampled);
}
