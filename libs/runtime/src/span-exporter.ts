/**
 * The OTLP/HTTP exporter with another way of writing what it sends (span-json.ts): its settings from the environment, its
 * queue, retries and time limits are its own.
 */
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPExporterBase } from '@opentelemetry/otlp-exporter-base';
import { convertLegacyHttpOptions, createOtlpHttpExportDelegate } from '@opentelemetry/otlp-exporter-base/node-http';
import { type ISerializer, JsonTraceSerializer, TraceExporterMetricsHelper } from '@opentelemetry/otlp-transformer';
import type { Resource } from '@opentelemetry/resources';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import { RecordSpan } from './record-span.ts';
import { spanJson } from './span-json.ts';

const text = new TextDecoder();
/** What stands around the spans of a service: the exporter's own way, made once. */
const frames = new WeakMap<Resource, [before: string, after: string]>();

function frameOf(span: RecordSpan): [string, string] {
  let frame = frames.get(span.resource);
  if (!frame) {
    const whole = JSON.parse(text.decode(JsonTraceSerializer.serializeRequest([span])!));
    const [group] = whole.resourceSpans;
    group.scopeSpans[0].spans = [MARK];
    const [before, after] = JSON.stringify(group).split(JSON.stringify(MARK));
    frame = [before!, after!];
    frames.set(span.resource, frame);
  }
  return frame;
}
const MARK = '\u0000spans\u0000';

/** A group for each resource, in the order in which they come. */
export function serializeSpans(spans: readonly RecordSpan[]): Uint8Array {
  const groups = new Map<Resource, { frame: [string, string]; json: string }>();
  for (const span of spans) {
    const group = groups.get(span.resource);
    if (group) group.json += `,${spanJson(span.record)}`;
    else groups.set(span.resource, { frame: frameOf(span), json: spanJson(span.record) });
  }
  const written = [...groups.values()].map(({ frame, json }) => `${frame[0]}${json}${frame[1]}`);
  return Buffer.from(`{"resourceSpans":[${written.join(',')}]}`);
}

/** Spans of others' instrumentation come as the SDK made them. */
const serializer: ISerializer<ReadableSpan[], unknown> = {
  serializeRequest: (spans) =>
    spans.every((span): span is RecordSpan => span instanceof RecordSpan)
      ? serializeSpans(spans)
      : JsonTraceSerializer.serializeRequest(spans),
  deserializeResponse: (data) => JsonTraceSerializer.deserializeResponse(data),
};

export class SpanExporter extends OTLPTraceExporter {
  readonly #own = new OTLPExporterBase<ReadableSpan[]>(
    createOtlpHttpExportDelegate(
      convertLegacyHttpOptions({}, 'TRACES', 'v1/traces', { 'Content-Type': 'application/json' }),
      serializer,
      'otlp_http_span_exporter',
      TraceExporterMetricsHelper,
      undefined,
    ),
  );

  override export(...args: Parameters<OTLPTraceExporter['export']>): void {
    this.#own.export(...args);
  }
  override forceFlush(): Promise<void> {
    return this.#own.forceFlush();
  }
  override async shutdown(): Promise<void> {
    await Promise.all([this.#own.shutdown(), super.shutdown()]);
  }
}
