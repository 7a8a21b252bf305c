/**
 * Traces. Started only when OTEL_EXPORTER_OTLP_ENDPOINT (or the traces one) is set; without it every call here is a no-op.
 * Several services may share the process: each span carries its service's name, and the exporter hands it out under that
 * service's resource (telemetry-sdk.ts).
 * Invariant: a span's parent is always given by a W3C traceparent in the message, never by ambient context.
 */
import {
  type Attributes,
  context,
  type Span,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api';

const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

export interface SpanOptions {
  kind?: 'internal' | 'server' | 'client' | 'producer' | 'consumer';
  parent?: string | undefined;
  attributes?: Attributes;
  /** Unix milliseconds; now where it is left out. */
  startedAt?: number;
  /** 16 hex digits: for a span that is written after others have named it as their parent. */
  spanId?: string;
}

export interface OpenSpan {
  /** Undefined when tracing is off: then pass the parent on as it came. */
  traceparent: string | undefined;
  attributes(values: Attributes): void;
  event(name: string, values?: Attributes): void;
  end(options?: { error?: string; endedAt?: number }): void;
}

export interface Telemetry {
  readonly enabled: boolean;
  span(name: string, options?: SpanOptions): OpenSpan;
}

/** The next span id, where one was asked for: SDK 3 has no other way to choose it. Taken by the generator in telemetry-sdk.ts. */
let nextSpanId: string | undefined;
export function takeSpanId(): string | undefined {
  const id = nextSpanId;
  nextSpanId = undefined;
  return id;
}

export const SERVICE_SCOPE = 'tutti.';

let shutdown: (() => Promise<void>) | undefined;
let starting: Promise<void> | undefined;

/** Starts tracing for this process if the environment asks for it. Safe to call again. */
export function startTelemetry(environment: Record<string, string | undefined> = process.env): Promise<void> {
  if (!environment.OTEL_EXPORTER_OTLP_ENDPOINT && !environment.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT)
    return Promise.resolve();
  // Loaded only when wanted: the SDK costs a process half a second.
  starting ??= import('./telemetry-sdk.ts').then(({ startSdk }) => {
    shutdown = startSdk();
  });
  return starting;
}

/** Sends what is buffered, bounded by the exporter's own time limit. */
export async function stopTelemetry(): Promise<void> {
  await shutdown?.().catch(() => {});
  shutdown = undefined;
  starting = undefined;
  trace.disable();
}

const KINDS = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
} as const;

export function formatTraceparent(traceId: string, spanId: string): string {
  return `00-${traceId}-${spanId}-01`;
}

export function parseTraceparent(value: string | undefined): { traceId: string; spanId: string } | undefined {
  const match = value ? TRACEPARENT.exec(value) : null;
  return match ? { traceId: match[1]!, spanId: match[2]! } : undefined;
}

const silent: OpenSpan = { traceparent: undefined, attributes() {}, event() {}, end() {} };

export function createTelemetry(service: string): Telemetry {
  let tracer: Tracer | undefined;
  return {
    get enabled() {
      return shutdown !== undefined;
    },
    span(name, options = {}) {
      if (!shutdown) return options.parent ? { ...silent, traceparent: options.parent } : silent;
      tracer ??= trace.getTracer(`${SERVICE_SCOPE}${service}`);
      const parent = parseTraceparent(options.parent);
      const base = parent
        ? trace.setSpanContext(context.active(), { ...parent, traceFlags: TraceFlags.SAMPLED, isRemote: true })
        : context.active();
      nextSpanId = options.spanId;
      const span = tracer.startSpan(
        name,
        {
          kind: KINDS[options.kind ?? 'internal'],
          attributes: options.attributes,
          startTime: options.startedAt,
          root: !parent,
        },
        base,
      );
      nextSpanId = undefined;
      return wrap(span);
    },
  };
}

function wrap(span: Span): OpenSpan {
  const { traceId, spanId } = span.spanContext();
  return {
    traceparent: formatTraceparent(traceId, spanId),
    attributes: (values) => void span.setAttributes(values),
    event: (name, values) => void span.addEvent(name, values),
    end({ error, endedAt } = {}) {
      if (error) span.setStatus({ code: SpanStatusCode.ERROR, message: error });
      span.end(endedAt);
    },
  };
}
