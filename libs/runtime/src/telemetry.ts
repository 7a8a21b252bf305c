/**
 * Traces. Started only when OTEL_EXPORTER_OTLP_ENDPOINT (or the traces one) is set; without it every call here is a no-op.
 * Several services may share the process: each span carries its service's name, and leaves under that service's resource
 * (telemetry-sdk.ts). Every request makes spans, so they are plain records until they are exported: the SDK's own cost
 * several times as much at the moment they are made. Names are in telemetry-names.ts, content in content.ts.
 * Invariants: a span's parent is always given by a W3C traceparent in the message, never by ambient context; who began a
 * trace decided whether it is recorded (its sampled flag), and nobody decides otherwise; no message of an error is in a
 * span, only its code, for it may quote prompts and arguments.
 */
import { randomFillSync } from 'node:crypto';
import type { Attributes } from '@opentelemetry/api';
import { ERRORS, type ErrorInfo } from '@tutti/contracts';
import { captureContent, contentOf } from './content.ts';
import { createSampler, type Sampler } from './sampler.ts';
import { ATTR } from './telemetry-names.ts';

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
  /** 32 hex digits: the trace that a span without a parent begins. */
  traceId?: string;
}

export interface OpenSpan {
  /** Undefined when tracing is off: then pass the parent on as it came. */
  traceparent: string | undefined;
  attributes(values: Attributes): void;
  event(name: string, values?: Attributes): void;
  end(options?: SpanEnd): void;
}

export interface SpanEnd {
  /** A few words of our own; makes the span a failed one. */
  error?: string;
  /** Unix milliseconds; now where it is left out. */
  endedAt?: number;
}

export interface Telemetry {
  readonly enabled: boolean;
  span(name: string, options?: SpanOptions): OpenSpan;
  /** Whether a trace that begins here is recorded. */
  samples?(traceId: string): boolean;
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
  flush(): Promise<void>;
  shutdown(): Promise<void>;
}

let sink: SpanSink | undefined;
let starting: Promise<void> | undefined;
let sampler: Sampler = () => true;

/** Starts tracing for this process if the environment asks for it. Safe to call again. */
export function startTelemetry(environment: Record<string, string | undefined> = process.env): Promise<void> {
  if (!environment.OTEL_EXPORTER_OTLP_ENDPOINT && !environment.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT)
    return Promise.resolve();
  // Loaded only when wanted: the SDK takes a process a while to load.
  starting ??= import('./telemetry-sdk.ts').then(({ startSdk }) => {
    captureContent(environment);
    sampler = createSampler(environment);
    sink = startSdk();
  });
  return starting;
}

/** Sends what is buffered, bounded by the exporter's own time limit. */
export async function stopTelemetry(): Promise<void> {
  const stopping = sink;
  sink = undefined;
  starting = undefined;
  captureContent({});
  await stopping?.shutdown().catch(() => {});
}

/** Sends what has ended so far. Never rejects: what cannot be sent is tried again with the next batch, or dropped. */
export async function flushTelemetry(): Promise<void> {
  await sink?.flush().catch(() => {});
}

export interface TraceContext {
  traceId: string;
  spanId: string;
  sampled: boolean;
}

export function formatTraceparent(traceId: string, spanId: string, sampled = true): string {
  return sampled ? `00-${traceId}-${spanId}-01` : `00-${traceId}-${spanId}-00`;
}

export function parseTraceparent(value: string | undefined): TraceContext | undefined {
  const match = value ? TRACEPARENT.exec(value) : null;
  if (!match) return undefined;
  return { traceId: match[1]!, spanId: match[2]!, sampled: (Number.parseInt(match[3]!, 16) & 1) === 1 };
}

/** How a span says that it failed: the code and what the catalogue says of it; the message only as content. */
export function failureOf(error: Pick<ErrorInfo, 'code' | 'message'>): { attributes: Attributes; error: string } {
  const message = contentOf(error.message);
  return {
    attributes: { [ATTR.errorType]: error.code, ...(message === undefined ? {} : { [ATTR.errorMessage]: message }) },
    error: `${error.code}: ${ERRORS[error.code].text}`,
  };
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
    samples: (traceId) => sampler(traceId),
    span(name, options = {}) {
      const parent = parseTraceparent(options.parent);
      if (!sink || parent?.sampled === false) return unrecorded(options.parent);
      const traceId = parent?.traceId ?? options.traceId ?? randomHex(16);
      // Whoever comes after must know that it was decided.
      if (!parent && !sampler(traceId)) return unrecorded(formatTraceparent(traceId, randomHex(8), false));
      return new RecordedSpan(service, name, traceId, parent?.spanId, options);
    },
  };
}

function unrecorded(traceparent: string | undefined): OpenSpan {
  return traceparent ? { ...silent, traceparent } : silent;
}

class RecordedSpan implements OpenSpan {
  readonly traceparent: string;
  readonly #record: SpanRecord;
  readonly #startedMs = performance.now();
  #ended = false;

  constructor(service: string, name: string, traceId: string, parentSpanId: string | undefined, options: SpanOptions) {
    const spanId = options.spanId ?? randomHex(8);
    this.traceparent = formatTraceparent(traceId, spanId);
    this.#record = {
      service,
      traceId,
      spanId,
      parentSpanId,
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
  end({ error, endedAt }: SpanEnd = {}): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#record.endedAt = endedAt ?? this.#now();
    this.#record.error = error;
    sink?.take(this.#record);
  }
}
