/** Spans as they come back from whoever collects them: from OTLP as JSON, or from Jaeger's query API. */
export type Value = string | number | boolean | string[];
export interface Span {
  name: string;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  service: string;
  kind: string;
  /** Unix milliseconds. */
  startedAt: number;
  endedAt: number;
  error: string | undefined;
  attributes: Record<string, Value>;
  events: { name: string; attributes: Record<string, Value> }[];
}

interface AnyValue {
  stringValue?: string;
  intValue?: number | string;
  doubleValue?: number;
  boolValue?: boolean;
  arrayValue?: { values: AnyValue[] };
}
interface KeyValue {
  key: string;
  value: AnyValue;
}
interface OtlpSpan {
  name: string;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  kind?: number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes?: KeyValue[];
  events?: { name: string; attributes?: KeyValue[] }[];
  status?: { code?: number; message?: string };
}
export interface OtlpTraces {
  resourceSpans?: { resource: { attributes: KeyValue[] }; scopeSpans: { spans: OtlpSpan[] }[] }[];
}

const KINDS = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'];
const ERROR = 2;
const NANOS_PER_MS = 1e6;

function readValue({ stringValue, intValue, doubleValue, boolValue, arrayValue }: AnyValue): Value {
  if (arrayValue) return arrayValue.values.map((one) => String(readValue(one)));
  return stringValue ?? (intValue === undefined ? undefined : Number(intValue)) ?? doubleValue ?? boolValue ?? '';
}
function attributesOf(list: KeyValue[] = []): Record<string, Value> {
  return Object.fromEntries(list.map(({ key, value }) => [key, readValue(value)]));
}

export function spansOfOtlp({ resourceSpans = [] }: OtlpTraces): Span[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const service = String(attributesOf(resource.attributes)['service.name']);
    return scopeSpans.flatMap(({ spans }) => spans.map((span) => spanOf(span, service)));
  });
}

function spanOf(span: OtlpSpan, service: string): Span {
  const { name, traceId, spanId, parentSpanId, status } = span;
  return {
    name,
    traceId,
    spanId,
    ...(parentSpanId ? { parentSpanId } : {}),
    service,
    kind: KINDS[span.kind ?? 0]!,
    startedAt: Number(span.startTimeUnixNano) / NANOS_PER_MS,
    endedAt: Number(span.endTimeUnixNano) / NANOS_PER_MS,
    error: status?.code === ERROR ? (status.message ?? '') : undefined,
    attributes: attributesOf(span.attributes),
    events: (span.events ?? []).map((event) => ({ name: event.name, attributes: attributesOf(event.attributes) })),
  };
}

interface JaegerTag {
  key: string;
  type: string;
  value: string | number | boolean;
}
export interface JaegerTrace {
  spans: {
    traceID: string;
    spanID: string;
    operationName: string;
    references: { refType: string; spanID: string }[];
    startTime: number;
    duration: number;
    tags: JaegerTag[];
    logs: { fields: JaegerTag[] }[];
    processID: string;
  }[];
  processes: Record<string, { serviceName: string }>;
}

function tagsOf(tags: JaegerTag[]): Record<string, Value> {
  return Object.fromEntries(tags.map(({ key, value }) => [key, listOf(value)]));
}
/** Jaeger writes lists as JSON text. */
function listOf(value: string | number | boolean): Value {
  if (typeof value !== 'string' || !value.startsWith('["')) return value;
  return JSON.parse(value) as string[];
}

/** Of `/api/traces/{id}`: microseconds there. */
export function spansOfJaeger({ spans, processes }: JaegerTrace): Span[] {
  return spans.map((span) => {
    const { 'span.kind': kind, 'otel.status_description': said, error, ...attributes } = tagsOf(span.tags);
    const parent = span.references.find(({ refType }) => refType === 'CHILD_OF');
    return {
      name: span.operationName,
      traceId: span.traceID,
      spanId: span.spanID,
      ...(parent ? { parentSpanId: parent.spanID } : {}),
      service: processes[span.processID]!.serviceName,
      kind: String(kind ?? 'internal'),
      startedAt: span.startTime / 1_000,
      endedAt: (span.startTime + span.duration) / 1_000,
      error: error === true ? String(said ?? '') : undefined,
      attributes,
      events: span.logs.map(({ fields }) => {
        const { event, ...rest } = tagsOf(fields);
        return { name: String(event), attributes: rest };
      }),
    };
  });
}
