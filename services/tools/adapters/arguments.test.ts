import { expect, it } from 'vitest';
import { createArgumentChecker } from './arguments.ts';

const checker = createArgumentChecker();
const schema = {
  type: 'object',
  additionalProperties: false,
  required: ['city', 'nights'],
  properties: {
    city: { type: 'string', minLength: 2 },
    nights: { type: 'integer', minimum: 1 },
    price: { type: 'number' },
    flexible: { type: 'boolean' },
    cabin: { enum: ['economy', 'business'] },
    tags: { type: 'array', items: { type: 'string' } },
    date: { type: 'string', format: 'date' },
    limit: { type: ['integer', 'null'] },
    guest: { type: 'object', properties: { age: { type: 'integer' } } },
  },
};
const check = (args: Record<string, unknown>) => checker.check('t', schema, args);

it('leaves what fits as it is', () => {
  const args = { city: 'Tokyo', nights: 3, limit: null };
  expect(check(args)).toEqual({ ok: true, arguments: args, converted: [] });
});
it('converts what loses nothing, deep down too, and leaves the original alone', () => {
  const args = {
    city: 'Tokyo',
    nights: '3',
    price: '12.5',
    flexible: 'true',
    tags: '["a","b"]',
    limit: '7',
    guest: { age: '44' },
  };
  const before = structuredClone(args);
  expect(check(args)).toEqual({
    ok: true,
    arguments: {
      city: 'Tokyo',
      nights: 3,
      price: 12.5,
      flexible: true,
      tags: ['a', 'b'],
      limit: 7,
      guest: { age: 44 },
    },
    converted: [
      'nights: "3" → 3',
      'price: "12.5" → 12.5',
      'flexible: "true" → true',
      'tags: "[\\"a\\",\\"b\\"]" → ["a","b"]',
      'limit: "7" → 7',
      'guest.age: "44" → 44',
    ],
  });
  expect(args).toEqual(before);
  expect(check({ city: 12, nights: 1 })).toEqual({
    ok: true,
    arguments: { city: '12', nights: 1 },
    converted: ['city: 12 → "12"'],
  });
});
it.each([
  [{ city: 'Tokyo', nights: '3.5' }],
  [{ city: 'Tokyo', nights: '03' }],
  [{ city: 'Tokyo', nights: '' }],
  [{ city: 'Tokyo', nights: null }],
  [{ city: 'Tokyo', nights: true }],
  [{ city: null, nights: 1 }],
  [{ city: 'Tokyo', nights: 1, flexible: 'yes' }],
  [{ city: 'Tokyo', nights: 1, flexible: 1 }],
])('does not guess: %o', (args) => expect(check(args).ok).toBe(false));
it('lists every problem', () => {
  const result = check({ nights: 0, cabin: 'first', date: 'tomorrow', extra: 1 });
  expect(result).toEqual({
    ok: false,
    problems: [
      "arguments must have required property 'city'",
      'arguments must NOT have additional properties: "extra"',
      'nights must be >= 1',
      'cabin must be equal to one of the allowed values: "economy", "business"',
      'date must match format "date"',
    ],
  });
});
it('takes draft-07 schemas, and says when a schema is no schema', () => {
  const old = {
    $schema: 'http://json-schema.org/draft-07/schema#',
    type: 'object',
    properties: { a: { type: 'number' } },
  };
  expect(checker.check('t', old, { a: '1' })).toEqual({ ok: true, arguments: { a: 1 }, converted: ['a: "1" → 1'] });
  expect(() => checker.check('t', { type: 'nonsense' }, {})).toThrow(/no usable JSON Schema/);
});
