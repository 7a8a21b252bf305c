/** Spans written straight from their records read the same as by the exporter's own serializer. */
import { JsonTraceSerializer } from '@opentelemetry/otlp-transformer';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type RecordSpan, spanMaker } from './record-span.ts';
import { serializeSpans } from './span-exporter.ts';
import type { SpanRecord } from './telemetry.ts';

const digit = fc.constantFrom(...'0123456789abcdef');
const hex = (length: number) => fc.string({ unit: digit, minLength: length, maxLength: length });
const value = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.boolean(),
  fc.array(fc.string(), { maxLength: 3 }),
);
/** As names are: no numbers, which JavaScript puts first in any object. */
const name = fc.stringMatching(/^[a-z"\\\u20ac.]{1,8}$/);
const attributes = fc.option(fc.dictionary(name, value, { maxKeys: 5 }), {
  nil: undefined,
});
const time = fc.double({ min: 1e12, max: 2e12, noNaN: true });
const record: fc.Arbitrary<SpanRecord> = fc.record({
  service: fc.constantFrom('router', 'planner'),
  traceId: hex(32),
  spanId: hex(16),
  parentSpanId: fc.option(hex(16), { nil: undefined }),
  name: fc.string({ unit: 'binary' }),
  kind: fc.constantFrom(
    'internal' as const,
    'server' as const,
    'client' as const,
    'producer' as const,
    'consumer' as const,
  ),
  startedAt: time,
  endedAt: time,
  common: attributes,
  attributes,
  events: fc.option(fc.array(fc.record({ name: fc.string(), at: time, attributes }), { maxLength: 2 }), {
    nil: undefined,
  }),
  error: fc.option(fc.string(), { nil: undefined }),
});
const text = new TextDecoder();

test('whatever is in them', () => {
  const make = spanMaker();
  fc.assert(
    fc.property(fc.array(record, { minLength: 1, maxLength: 4 }), (records) => {
      const spans: RecordSpan[] = records.map(make);
      const ours = JSON.parse(text.decode(serializeSpans(spans)));
      const theirs = JSON.parse(text.decode(JsonTraceSerializer.serializeRequest(spans)!));
      // A number with a negative zero is written as 0 by both.
      expect(ours).toEqual(theirs);
    }),
    { numRuns: 300 },
  );
});
