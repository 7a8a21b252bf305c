/**
 * Traces. One NodeSDK a process, started only when OTEL_EXPORTER_OTLP_ENDPOINT (or the traces one) is set; without it
 * every call here is a no-op. Several services may share the process: each span carries its service's name, and the
 * exporter hands it out under that service's resource.
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
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { defaultResource, type Resource, resourceFromAttributes } from '@opentelemetry/resources';
import { NodeSDK } from '@opentelemetry/sdk-node';
import {
  BatchSpanProcessor,
  type IdGenerator,
  RandomIdGenerator,
  type ReadableSpan,
  type SpanExporter,
} from '@opentelemetry/sdk-trace';

export const SPAN_QUEUE_MAX = 16_384;
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

/** The next span id, where one was asked for: SDK 3 has no other way to choose it. */
const generator = new RandomIdGenerator();
let nextSpanId: string | undefined;
const ids: IdGenerator = {
  generateTraceId: () => generator.generateTraceId(),
  generateSpanId: () => {
    const id = nextSpanId ?? generator.generateSpanId();
    nextSpanId = undefined;
    return id;
  },
};

const SERVICE_SCOPE = 'tutti.';

/** Exports each span under the resource of the service that made it (named by its tracer). */
class PerServiceExporter implements SpanExporter {
  readonly #inner: SpanExporter;
  readonly #resources = new Map<string, Resource>();
  constructor(inner: SpanExporter) {
    this.#inner = inner;
  }
  #resource(span: ReadableSpan): Resource {
    const service = span.instrumentationScope.name.slice(SERVICE_SCOPE.length);
    let resource = this.#resources.get(service);
    if (!resource) {
      resource = span.resource.merge(
        resourceFromAttributes({ 'service.name': `tutti-${service}`, 'service.namespace': 'tutti' }),
      );
      this.#resources.set(service, resource);
    }
    return resource;
  }
  export(spans: ReadableSpan[], done: Parameters<SpanExporter['export']>[1]): void {
    this.#inner.export(
      spans.map((span) => Object.create(span, { resource: { value: this.#resource(span) } }) as ReadableSpan),
      done,
    );
  }
  shutdown(): Promise<void> {
    return this.#inner.shutdown();
  }
  forceFlush(): Promise<void> {
    return this.#inner.forceFlush?.() ?? Promise.resolve();
  }
}

let sdk: NodeSDK | undefined;

/** Starts tracing for this process if the environment asks for it. Safe to call again. */
export function startTelemetry(
  environment: Record<string, string | undefined> = process.env,
  exporter?: SpanExporter,
): void {
  if (sdk) return;
  if (!exporter && !environment.OTEL_EXPORTER_OTLP_ENDPOINT && !environment.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT) return;
  const processor = new BatchSpanProcessor({
    exporter: new PerServiceExporter(exporter ?? new OTLPTraceExporter()),
    maxQueueSize: SPAN_QUEUE_MAX,
    scheduledDelayMillis: 1_000,
  } as never);
  sdk = new NodeSDK({
    resource: defaultResource(),
    autoDetectResources: false,
    idGenerator: ids,
    spanProcessors: [processor],
    metricReaders: [],
    logRecordProcessors: [],
    instrumentations: [],
  });
  sdk.start();
}

/** Sends what is buffered, bounded by the exporter's own time limit. */
export async function stopTelemetry(): Promise<void> {
  await sdk?.shutdown().catch(() => {});
  sdk = undefined;
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
      return sdk !== undefined;
    },
    span(name, options = {}) {
      if (!sdk) return options.parent ? { ...silent, traceparent: options.parent } : silent;
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
