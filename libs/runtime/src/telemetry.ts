/**
 * Traces. Started only when OTEL_EXPORTER_OTLP_ENDPOINT (or the traces one) is set; without it every call here is a no-op.
 * Several services may share the process: each span carries its service's name, and leaves under that service's resource
 * (telemetry-sdk.ts). Every request makes spans, so they are plain records until they are exported: the SDK's own cost
 * several times as much at the moment they are made.
 * Invariant: a span's parent is always given by a W3C traceparent in the message, never by ambient context.
 */
import { randomFillSync } from 'node:crypto';
import type { Attributes } from '@opentelemetry/api';

const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

export interface SpanOptions {
  kind?: 'internal' | 'server' | 'client' | 'producer' | 'consumer';
  parent?: string | undefined;
  /** Shared by many spans: the same object each time, whose JSON is made once. */
  common?: Attributes;
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

/** A span that has ended, as the exporter gets it. Times are Unix milliseconds with fractions. */
export interface SpanRecord {
  service: string;
  traceId: string;
  spanId: string;
  parentSpanId: string | undefined;
  name: string;
  kind: NonNullable<SpanOptions['kind']>;
  startedAt: number;
  endedAt: number;
  common: Attributes | undefined;
  attributes: Attributes | undefined;
  events: { name: string; at: number; attributes: Attributes | undefined }[] | undefined;
  error: string | undefined;
}

export interface SpanSink {
  take(span: SpanRecord): void;
  shutdown(): Promise<void>;
}

let sink: SpanSink | undefined;
let starting: Promise<void> | undefined;

/** Starts tracing for this process if the environment asks for it. Safe to call again. */
export function startTelemetry(environment: Record<string, string | undefined> = process.env): Promise<void> {
  if (!environment.OTEL_EXPORTER_OTLP_ENDPOINT && !environment.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT)
    return Promise.resolve();
  // Loaded only when wanted: the SDK takes a process a while to load.
  starting ??= import('./telemetry-sdk.ts').then(({ startSdk }) => {
    sink = startSdk();
  });
  return starting;
}

/** Sends what is buffered, bounded by the exporter's own time limit. */
export async function stopTelemetry(): Promise<void> {
  const stopping = sink;
  sink = undefined;
  starting = undefined;
  await stopping?.shutdown().catch(() => {});
}

export function formatTraceparent(traceId: string, spanId: string): string {
  return `00-${traceId}-${spanId}-01`;
}

export function parseTraceparent(value: string | undefined): { traceId: string; spanId: string } | undefined {
  const match = value ? TRACEPARENT.exec(value) : null;
  return match ? { traceId: match[1]!, spanId: match[2]! } : undefined;
}

const POOL_BYTES = 4_096;
const pool = Buffer.allocUnsafe(POOL_BYTES);
let used = POOL_BYTES;

/** From the system's randomness, taken in larger portions. */
function randomHex(count: number): string {
  if (used + count > POOL_BYTES) {
    randomFillSync(pool);
    used = 0;
  }
  used += count;
  return pool.toString('hex', used - count, used);
}

const silent: OpenSpan = { traceparent: undefined, attributes() {}, event() {}, end() {} };

export function createTelemetry(service: string): Telemetry {
  return {
    get enabled() {
      return sink !== undefined;
    },
    span(name, options = {}) {
      if (sink) return new RecordedSpan(service, name, options);
      return options.parent ? { ...silent, traceparent: options.parent } : silent;
    },
  };
}

class RecordedSpan implements OpenSpan {
  readonly traceparent: string;
  readonly #record: SpanRecord;
  readonly #startedMs = performance.now();
  #ended = false;

  constructor(service: string, name: string, options: SpanOptions) {
    const parent = parseTraceparent(options.parent);
    const traceId = parent?.traceId ?? randomHex(16);
    const spanId = options.spanId ?? randomHex(8);
    this.traceparent = formatTraceparent(traceId, spanId);
    this.#record = {
      service,
      traceId,
      spanId,
      parentSpanId: parent?.spanId,
      name,
      kind: options.kind ?? 'internal',
      startedAt: options.startedAt ?? Date.now(),
      endedAt: 0,
      common: options.common,
      attributes: options.attributes,
      events: undefined,
      error: undefined,
    };
  }
  #now(): number {
    return this.#record.startedAt + (performance.now() - this.#startedMs);
  }
  attributes(values: Attributes): void {
    this.#record.attributes = this.#record.attributes ? { ...this.#record.attributes, ...values } : values;
  }
  event(name: string, values?: Attributes): void {
    this.#record.events ??= [];
    this.#record.events.push({ name, at: this.#now(), attributes: values });
  }
  end({ error, endedAt }: { error?: string; endedAt?: number } = {}): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#record.endedAt = endedAt ?? this.#now();
    this.#record.error = error;
    sink?.take(this.#record);
  }
}
