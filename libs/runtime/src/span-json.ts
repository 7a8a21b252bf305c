/**
 * Spans as OTLP JSON, written straight from their records: the exporter's own way by objects and BigInts costs several times
 * as much. What it writes reads the same as what the exporter writes (span-json.test.ts compares the two).
 */
import type { Attributes, AttributeValue } from '@opentelemetry/api';
import type { SpanRecord } from './telemetry.ts';

/** As in OTLP: one more than in the API. */
const KINDS: Record<SpanRecord['kind'], number> = { internal: 1, server: 2, client: 3, producer: 4, consumer: 5 };
const ERROR = 2;
/** Sampled, and it is known whether the parent is in another process. */
const FLAGS = 0x101;
const PARENT_IS_REMOTE = 0x200;
const KEYS_KEPT_MAX = 1_000;

const keys = new Map<string, string>();
const commons = new WeakMap<Attributes, string>();

function keyOf(key: string): string {
  let json = keys.get(key);
  if (json === undefined) {
    json = `{"key":${JSON.stringify(key)},"value":`;
    if (keys.size < KEYS_KEPT_MAX) keys.set(key, json);
  }
  return json;
}

function writeValue(value: AttributeValue | null | undefined): string {
  switch (typeof value) {
    case 'string':
      return `{"stringValue":${JSON.stringify(value)}}`;
    case 'number':
      // Neither infinity nor NaN is a number in JSON.
      return Number.isInteger(value) ? `{"intValue":${value}}` : `{"doubleValue":${JSON.stringify(value)}}`;
    case 'boolean':
      return `{"boolValue":${value}}`;
    default:
      return Array.isArray(value) ? `{"arrayValue":{"values":[${value.map(writeValue).join(',')}]}}` : '{}';
  }
}

function attributesOf(attributes: Attributes | undefined): string {
  let json = '';
  for (const key in attributes) {
    const value = attributes[key];
    if (value === undefined) continue;
    json += `${json === '' ? '' : ','}${keyOf(key)}${writeValue(value)}}`;
  }
  return json;
}

function commonOf(common: Attributes): string {
  let json = commons.get(common);
  if (json === undefined) {
    json = attributesOf(common);
    commons.set(common, json);
  }
  return json;
}

/** The span's own attributes count where both have one. */
function allOf({ common, attributes }: SpanRecord): string {
  if (!common) return attributesOf(attributes);
  for (const key in attributes) if (key in common) return attributesOf({ ...common, ...attributes });
  const shared = commonOf(common);
  const own = attributesOf(attributes);
  return shared === '' || own === '' ? shared + own : `${shared},${own}`;
}

/** Nanoseconds as OTLP's text, to the fraction that milliseconds in a double have. */
function nanosOf(unixMs: number): string {
  const seconds = Math.floor(unixMs / 1_000);
  const nanos = Math.round((unixMs - seconds * 1_000) * 1e6);
  return nanos === 1e9 ? `${seconds + 1}000000000` : `${seconds}${String(nanos).padStart(9, '0')}`;
}

export function spanJson(record: SpanRecord): string {
  const { parentSpanId, events, error } = record;
  const parent = parentSpanId ? `"parentSpanId":"${parentSpanId}",` : '';
  const status = error === undefined ? '{"code":0}' : `{"code":${ERROR},"message":${JSON.stringify(error)}}`;
  const happened = events
    ? events
        .map(
          ({ name, at, attributes }) =>
            `{"attributes":[${attributesOf(attributes)}],"name":${JSON.stringify(name)},"timeUnixNano":"${nanosOf(at)}","droppedAttributesCount":0}`,
        )
        .join(',')
    : '';
  return `{"traceId":"${record.traceId}","spanId":"${record.spanId}",${parent}"name":${JSON.stringify(record.name)},"kind":${KINDS[record.kind]},"startTimeUnixNano":"${nanosOf(record.startedAt)}","endTimeUnixNano":"${nanosOf(record.endedAt)}","attributes":[${allOf(record)}],"droppedAttributesCount":0,"events":[${happened}],"droppedEventsCount":0,"status":${status},"links":[],"droppedLinksCount":0,"flags":${parentSpanId ? FLAGS | PARENT_IS_REMOTE : FLAGS}}`;
}
