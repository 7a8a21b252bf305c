/**
 * A span record as the OpenTelemetry SDK sees a span, under the resource of the service that made it. Most of it is worked
 * out only when it is asked for.
 */
import type { Attributes, HrTime, SpanContext, SpanStatus } from '@opentelemetry/api';
import { SpanKind, SpanStatusCode, TraceFlags } from '@opentelemetry/api';
import { defaultResource, type Resource, resourceFromAttributes } from '@opentelemetry/resources';
import type { ReadableSpan, TimedEvent } from '@opentelemetry/sdk-trace';
import type { SpanRecord } from './telemetry.ts';
import { ATTR } from './telemetry-names.ts';

const KINDS: Record<SpanRecord['kind'], SpanKind> = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
};
const OK: SpanStatus = { code: SpanStatusCode.UNSET };
const NO_ATTRIBUTES: Attributes = {};
const NO_EVENTS: TimedEvent[] = [];

function hrTime(unixMs: number): HrTime {
  const seconds = Math.floor(unixMs / 1_000);
  return [seconds, Math.round((unixMs - seconds * 1_000) * 1e6)];
}

export class RecordSpan implements ReadableSpan {
  readonly record: SpanRecord;
  readonly resource: Resource;
  readonly instrumentationScope: { name: string };
  readonly #context: SpanContext;
  readonly links = [];
  readonly ended = true;
  readonly droppedAttributesCount = 0;
  readonly droppedEventsCount = 0;
  readonly droppedLinksCount = 0;

  constructor(record: SpanRecord, made: { resource: Resource; scope: { name: string } }) {
    this.record = record;
    this.resource = made.resource;
    this.instrumentationScope = made.scope;
    this.#context = { traceId: record.traceId, spanId: record.spanId, traceFlags: TraceFlags.SAMPLED };
  }
  spanContext(): SpanContext {
    return this.#context;
  }
  get parentSpanContext(): SpanContext | undefined {
    const { parentSpanId, traceId } = this.record;
    return parentSpanId ? { traceId, spanId: parentSpanId, traceFlags: TraceFlags.SAMPLED, isRemote: true } : undefined;
  }
  get name(): string {
    return this.record.name;
  }
  get kind(): SpanKind {
    return KINDS[this.record.kind];
  }
  get startTime(): HrTime {
    return hrTime(this.record.startedAt);
  }
  get endTime(): HrTime {
    return hrTime(this.record.endedAt);
  }
  get duration(): HrTime {
    return hrTime(Math.max(0, this.record.endedAt - this.record.startedAt));
  }
  get status(): SpanStatus {
    const { error } = this.record;
    return error === undefined ? OK : { code: SpanStatusCode.ERROR, message: error };
  }
  get attributes(): Attributes {
    const { common, attributes } = this.record;
    return common && attributes ? { ...common, ...attributes } : (common ?? attributes ?? NO_ATTRIBUTES);
  }
  get events(): TimedEvent[] {
    return this.record.events?.map(({ name, at, attributes }) => ({ name, time: hrTime(at), attributes })) ?? NO_EVENTS;
  }
}

/** Nothing of the process: a span that is written again by another planner must be the same (services/planner). */
export function resourceOf(service: string): Resource {
  const own = { [ATTR.serviceName]: `tutti-${service}`, [ATTR.serviceNamespace]: 'tutti' };
  return defaultResource().merge(resourceFromAttributes(own));
}

function createMakers(): (service: string) => { resource: Resource; scope: { name: string } } {
  const known = new Map<string, { resource: Resource; scope: { name: string } }>();
  return (service) => {
    let made = known.get(service);
    if (!made) {
      made = { resource: resourceOf(service), scope: { name: `tutti.${service}` } };
      known.set(service, made);
    }
    return made;
  };
}

/** Each under the resource of the service that made it. */
export function spanMaker(): (record: SpanRecord) => RecordSpan {
  const makerOf = createMakers();
  return (record) => new RecordSpan(record, makerOf(record.service));
}
