/**
 * Spans as OTLP/HTTP JSON (opentelemetry-proto, trace/v1), put together as text: nothing is built only to be serialised.
 * What many spans share (keys, common attributes, resources) is made once.
 */
import type { Attributes, AttributeValue } from '@opentelemetry/api';
import type { SpanRecord } from './telemetry.ts';

const KINDS: Record<SpanRecord['kind'], number> = { internal: 1, server: 2, client: 3, producer: 4, consumer: 5 };
const STATUS_ERROR = 2;
/** Trace flags: sampled; it is known whether the parent is remote; it is. */
const FLAGS_ROOT = 0x101;
const FLAGS_CHILD = 0x301;
const KEYS_MAX = 1_000;
const keys = new Map<string, string>();
const commons = new WeakMap<Attributes, string>();

/** The body of one export: spans by the service that made them, each under the resource that `resourceOf` gives for it. */
export function spansToJson(spans: SpanRecord[], resourceOf: (service: string) => Attributes): string {
  const byService = Map.groupBy(spans, (span) => span.service);
  const resources = [...byService].map(([service, list]) => {
    const scope = `{"scope":{"name":${JSON.stringify(`tutti.${service}`)}},"spans":[${list.map(spanToJson).join(',')}]}`;
    return `{"resource":{"attributes":[${commonToJson(resourceOf(service))}]},"scopeSpans":[${scope}]}`;
  });
  return `{"resourceSpans":[${resources.join(',')}]}`;
}

function spanToJson(span: SpanRecord): string {
  const common = span.common ? commonToJson(span.common) : '';
  const own = span.attributes ? attributesToJson(span.attributes) : '';
  const attributes = common && own ? `${common},${own}` : common || own;
  const parent = span.parentSpanId ? `"parentSpanId":"${span.parentSpanId}",` : '';
  const events = span.events ? `,"events":[${span.events.map(eventToJson).join(',')}]` : '';
  const status = span.error === undefined ? '{}' : `{"code":${STATUS_ERROR},"message":${JSON.stringify(span.error)}}`;
  return (
    `{"traceId":"${span.traceId}","spanId":"${span.spanId}",${parent}"name":${JSON.stringify(span.name)},` +
    `"kind":${KINDS[span.kind]},"startTimeUnixNano":"${nanos(span.startedAt)}","endTimeUnixNano":"${nanos(span.endedAt)}",` +
    `"attributes":[${attributes}]${events},"status":${status},"flags":${span.parentSpanId ? FLAGS_CHILD : FLAGS_ROOT}}`
  );
}

function eventToJson(event: NonNullable<SpanRecord['events']>[number]): string {
  const attributes = event.attributes ? attributesToJson(event.attributes) : '';
  return `{"name":${JSON.stringify(event.name)},"timeUnixNano":"${nanos(event.at)}","attributes":[${attributes}]}`;
}

/** Nanoseconds since 1970 are more than a number holds. */
function nanos(ms: number): string {
  const whole = Math.floor(ms);
  const rest = Math.floor((ms - whole) * 1e6);
  return `${whole}${String(rest).padStart(6, '0')}`;
}

function commonToJson(attributes: Attributes): string {
  let json = commons.get(attributes);
  if (json === undefined) {
    json = attributesToJson(attributes);
    commons.set(attributes, json);
  }
  return json;
}

function attributesToJson(attributes: Attributes): string {
  let json = '';
  for (const key in attributes) {
    const value = attributes[key];
    if (value === undefined || value === null) continue;
    json += `${json ? ',' : ''}{"key":${keyToJson(key)},"value":${valueToJson(value)}}`;
  }
  return json;
}

function keyToJson(key: string): string {
  let json = keys.get(key);
  if (json === undefined) {
    json = JSON.stringify(key);
    if (keys.size < KEYS_MAX) keys.set(key, json);
  }
  return json;
}

function valueToJson(value: AttributeValue | null | undefined): string {
  if (typeof value === 'string') return `{"stringValue":${JSON.stringify(value)}}`;
  if (typeof value === 'boolean') return `{"boolValue":${value}}`;
  if (typeof value === 'number') {
    if (Number.isSafeInteger(value)) return `{"intValue":${value}}`;
    return Number.isFinite(value) ? `{"doubleValue":${value}}` : `{"stringValue":"${value}"}`;
  }
  if (Array.isArray(value)) return `{"arrayValue":{"values":[${value.map((item) => valueToJson(item)).join(',')}]}}`;
  return '{}';
}
