/** Whatever the schemas and the words: it never throws, never emits an invalid call, never acts unasked, and repeats itself exactly. */
import { ChatRequest, type JsonSchema, planJsonSchema } from '@tutti/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkJsonAnswer } from '../json-answer.ts';
import { completeOffline } from './index.ts';
import { accepts } from './schema.ts';

const RUNS = 120;
const word = fc.constantFrom(
  'order',
  'customer',
  'date',
  'start',
  'end',
  'from',
  'to',
  'id',
  'email',
  'amount',
  'currency',
  'city',
  'query',
  'name',
  'status',
  'items',
  'book',
  'create',
  'list',
  'search',
  'get',
  'check',
  'cancel',
  'balance',
  'title',
  'body',
  'time',
  'zone',
  'max',
  'price',
  'toString',
  '__proto__',
  'constructor',
);
const scalar: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(
    {},
    true,
    { type: 'string' },
    { type: 'integer', minimum: 1, maximum: 9 },
    { type: 'number' },
    { type: 'boolean' },
    { type: ['string', 'null'] },
    { type: 'null' },
    { enum: ['a', 'b', 3, null] },
    { const: 'x' },
    { type: 'array', items: { enum: ['red', 'blue'] }, minItems: 1 },
    { type: 'array' },
    { $ref: '#/$defs/missing' },
    { $ref: '#' },
    { oneOf: [{ type: 'string' }, { type: 'number' }] },
    { anyOf: [{ const: 'p' }, { const: 'q' }] },
    { allOf: [{ type: 'string' }, { minLength: 2 }] },
    { type: 'string', pattern: '^[A-Z]{3}$' },
    { type: 'string', pattern: '(((' },
    { type: 'string', format: 'date' },
    { type: 'string', format: 'date-time' },
    { type: 'string', format: 'email' },
    { type: 'string', format: 'uuid' },
    { items: [{ type: 'string' }] },
    { type: 'string', description: 'the e-mail of the recipient', examples: ['a@b.example'] },
  ),
);
const property: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 4, arbitrary: scalar },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('object'),
      properties: fc.dictionary(word, scalar, { maxKeys: 3 }),
      required: fc.array(word, { maxLength: 2 }),
    }),
  },
);
const schema = fc.record(
  {
    type: fc.constantFrom('object', ['object', 'null']),
    properties: fc.dictionary(word, property, { maxKeys: 5 }),
    required: fc.array(word, { maxLength: 3 }),
  },
  { requiredKeys: [] },
) as fc.Arbitrary<JsonSchema>;
const name = fc.tuple(word, fc.constantFrom('_', '', 's_'), word).map((parts) =>
  parts
    .join('')
    .replace(/[^a-zA-Z0-9_-]/g, '_')
    .slice(0, 64),
);
const tool = fc.record({
  name,
  description: fc.oneof(
    fc.constant(''),
    fc.array(word, { maxLength: 6 }).map((words) => words.join(' ')),
  ),
  parameters: schema,
  returns: fc.option(schema, { nil: undefined }),
  effect: fc.constantFrom('pure', 'keyed', 'probeable', 'irreversible'),
});
const fragment = fc.constantFrom(
  'find the order',
  'book it',
  'for Anna Kim',
  'to Rome',
  'from 12 to 16 May 2027',
  'tomorrow at 3pm',
  'under 100 EUR',
  '"hello there"',
  'anna@example.com',
  'order ORD-12',
  'and cancel the second one',
  'what is 15% of 80',
  'please create a list',
  'do not send anything',
  'status?',
  '; title: x',
  '{}',
  '🙂',
  'the cheapest',
  'move it one week later',
);
const text = fc.oneof(
  fc.array(fragment, { minLength: 1, maxLength: 5 }).map((parts) => parts.join(' ')),
  fc.string({ maxLength: 80 }),
);
const result = fc.oneof(
  fc.constantFrom(
    '',
    'ok',
    'null',
    '[]',
    '{"available":false,"conflicts":[{"title":"x"}]}',
    '{"orders":[{"id":"o1","price":3},{"id":"o2","price":2}]}',
    '[1,2]',
    '{"a":{"b":[{"c":null}]}}',
    '{broken',
    'Error: must be one of red, blue',
  ),
  fc.json({ maxDepth: 3 }),
);
const passage = fc.record({ id: fc.constant('p'), document: fc.constant('d'), title: text, text });

const request = fc
  .record({
    tools: fc.array(tool, { maxLength: 6 }),
    texts: fc.array(text, { minLength: 1, maxLength: 3 }),
    results: fc.array(fc.tuple(result, fc.boolean()), { maxLength: 3 }),
    passages: fc.array(passage, { maxLength: 2 }),
    facts: fc.array(text, { maxLength: 2 }),
    mode: fc.constantFrom('act', 'plan', 'answer', 'extract'),
    schema,
    timeZone: fc.constantFrom('UTC', 'Europe/Berlin', 'Nowhere/None'),
  })
  .map(({ tools, texts, results, passages, facts, mode, schema: format, timeZone }) => {
    const unique = tools.filter((one, index) => tools.findIndex((other) => other.name === one.name) === index);
    const messages: unknown[] = texts.flatMap((content, index) =>
      index < texts.length - 1
        ? [
            { role: 'user', content },
            { role: 'assistant', content: 'Which one should I use?' },
          ]
        : [{ role: 'user', content }],
    );
    for (const [index, [content, isError]] of results.entries()) {
      const called = unique[index % Math.max(1, unique.length)]?.name ?? 'gone';
      messages.push(
        { role: 'assistant', content: null, toolCalls: [{ id: `c${index}`, name: called, arguments: {} }] },
        { role: 'tool', toolCallId: `c${index}`, name: called, content, isError },
      );
    }
    return ChatRequest.parse({
      messages,
      tools: unique,
      passages,
      facts,
      now: '2026-11-22T14:00:00Z',
      timeZone,
      ...(mode === 'act' ? {} : { toolChoice: 'none' }),
      ...(mode === 'plan'
        ? { responseFormat: { type: 'json_schema', name: 'plan', schema: planJsonSchema } }
        : mode === 'extract'
          ? { responseFormat: { type: 'json_schema', name: 'other', schema: format } }
          : {}),
    });
  });

describe('for any request', () => {
  it('never throws, is deterministic, and every call satisfies its schema', () => {
    fc.assert(
      fc.property(request, (one) => {
        const first = completeOffline(one);
        expect(JSON.stringify(completeOffline(structuredClone(one)))).toBe(JSON.stringify(first));
        for (const call of first.message.toolCalls ?? []) {
          const called = one.tools.find((each) => each.name === call.name);
          expect(called).toBeDefined();
          expect(accepts(call.arguments, called!.parameters, called!.parameters)).toBe(true);
        }
        if (one.responseFormat.type === 'json_schema')
          expect(() => JSON.parse(first.message.content ?? '')).not.toThrow();
        if (one.responseFormat.type === 'json_schema' && one.responseFormat.name === 'plan')
          // The router asks again for a plan that does not fit, and the words of the problem are none of the goal's.
          expect(checkJsonAnswer(one.responseFormat, first.message.content)).toMatchObject({ ok: true });
        if (one.toolChoice === 'none') expect(first.message.toolCalls).toBeUndefined();
      }),
      { numRuns: RUNS },
    );
  });

  /** What is not pure passes the policy's gate, so that a tool may be asked that only its kind does not call a reading one. */
  const reads = (tool: { name: string; description: string; effect: string } | undefined): boolean =>
    tool?.effect === 'pure' ||
    /^(?:get|list|search|check|status|query)|(?:search|list|status|check|query|get)$/i.test(tool?.name ?? '') ||
    (/^(?:get|list|search|check|query)\b/.test(tool?.description ?? '') &&
      /(?:price|balance)$/i.test(tool?.name ?? ''));

  it('never calls a tool with an effect for a question or a search', () => {
    const harmless = fc
      .tuple(
        fc.constantFrom('What is', 'How much is', 'Find', 'Show me', 'Is there', 'When does', 'List', 'Which'),
        fc.constantFrom(
          'the order',
          'a booking for Anna Kim',
          'the list of customers in Rome',
          'order ORD-12',
          'the balance',
          'my e-mail status',
          'the cheapest item to buy',
        ),
        fc.constantFrom('?', ' tomorrow?', ' under 100 EUR?'),
      )
      .map((parts) => `${parts[0]} ${parts[1]}${parts[2]}`);
    fc.assert(
      fc.property(fc.array(tool, { minLength: 1, maxLength: 6 }), harmless, (tools, content) => {
        const unique = tools.filter((one, index) => tools.findIndex((other) => other.name === one.name) === index);
        const response = completeOffline(
          ChatRequest.parse({ messages: [{ role: 'user', content }], tools: unique, now: '2026-11-22T14:00:00Z' }),
        );
        for (const call of response.message.toolCalls ?? [])
          expect(reads(unique.find((one) => one.name === call.name))).toBe(true);
      }),
      { numRuns: RUNS },
    );
  });
});
