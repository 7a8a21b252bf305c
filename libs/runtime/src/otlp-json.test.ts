/** What the exporter sends is OTLP, also where text or numbers are odd. */
import { expect, test } from 'vitest';
import { spansToJson } from './otlp-json.ts';
import type { SpanRecord } from './telemetry.ts';

const record: SpanRecord = {
  service: 'tools',
  traceId: '0af7651916cd43dd8448eb211c80319c',
  spanId: 'b7ad6b7169203331',
  parentSpanId: undefined,
  name: 'execute_tool "x"\n',
  kind: 'consumer',
  startedAt: 1_700_000_000_123.25,
  endedAt: 1_700_000_000_124,
  common: undefined,
  attributes: undefined,
  events: undefined,
  error: undefined,
};
const attributes = {
  a: 'quote " and 🦊',
  n: 3,
  f: 0.5,
  big: 1e300,
  nan: Number.NaN,
  b: false,
  list: ['x', 'y'],
  no: undefined,
};

test('a span becomes what the protocol says', () => {
  const parsed = JSON.parse(
    spansToJson(
      [
        { ...record, common: { shared: 'yes' }, attributes },
        { ...record, service: 'router', parentSpanId: '00f067aa0ba902b7', error: 'it "broke"' },
        { ...record, events: [{ name: 'tried', at: 1_700_000_000_123.5, attributes: { 'error.type': 'x' } }] },
      ],
      (service) => ({ 'service.name': `tutti-${service}` }),
    ),
  );
  expect(parsed.resourceSpans.map((each: { resource: object }) => each.resource)).toEqual([
    { attributes: [{ key: 'service.name', value: { stringValue: 'tutti-tools' } }] },
    { attributes: [{ key: 'service.name', value: { stringValue: 'tutti-router' } }] },
  ]);
  const [tools, router] = parsed.resourceSpans;
  expect(tools.scopeSpans[0].scope).toEqual({ name: 'tutti.tools' });
  expect(tools.scopeSpans[0].spans[0]).toEqual({
    traceId: record.traceId,
    spanId: record.spanId,
    name: record.name,
    kind: 5,
    startTimeUnixNano: '1700000000123250000',
    endTimeUnixNano: '1700000000124000000',
    attributes: [
      { key: 'shared', value: { stringValue: 'yes' } },
      { key: 'a', value: { stringValue: 'quote " and 🦊' } },
      { key: 'n', value: { intValue: 3 } },
      { key: 'f', value: { doubleValue: 0.5 } },
      { key: 'big', value: { doubleValue: 1e300 } },
      { key: 'nan', value: { stringValue: 'NaN' } },
      { key: 'b', value: { boolValue: false } },
      { key: 'list', value: { arrayValue: { values: [{ stringValue: 'x' }, { stringValue: 'y' }] } } },
    ],
    status: {},
    flags: 0x101,
  });
  expect(tools.scopeSpans[0].spans[1].events).toEqual([
    {
      name: 'tried',
      timeUnixNano: '1700000000123500000',
      attributes: [{ key: 'error.type', value: { stringValue: 'x' } }],
    },
  ]);
  expect(router.scopeSpans[0].spans[0]).toMatchObject({
    parentSpanId: '00f067aa0ba902b7',
    status: { code: 2, message: 'it "broke"' },
    flags: 0x301,
  });
});
