/** Repair towards a schema, refusals, and how much of an answer its sources say. */
import { describe, expect, it } from 'vitest';
import { coerce } from './coerce.ts';
import { groundednessOf } from './groundedness.ts';
import { isRefusal } from './refusal.ts';
import { numbersOf } from './words.ts';

describe('coerce', () => {
  const schema = {
    type: 'object',
    properties: {
      n: { type: 'integer' },
      x: { type: 'number' },
      on: { type: 'boolean' },
      tags: { type: 'array', items: { type: 'string' } },
      cabin: { enum: ['economy', 'premium_economy', 'business'] },
      who: { $ref: '#/$defs/person' },
      note: { type: 'string' },
      maybe: { type: ['string', 'null'] },
    },
    required: ['n'],
    $defs: { person: { type: 'object', properties: { age: { type: 'integer' } } } },
  };
  it('says the same in the type that is wanted', () => {
    expect(
      coerce(
        {
          n: '5',
          x: ' 1.5e2 ',
          on: 'True',
          tags: 'one',
          cabin: 'Premium Economy',
          who: '{"age":"7"}',
          note: null,
          maybe: null,
        },
        schema,
      ),
    ).toEqual({ n: 5, x: 150, on: true, tags: ['one'], cabin: 'premium_economy', who: { age: 7 }, maybe: null });
  });
  it.each([
    [{ n: 'five' }],
    [{ n: '5.5' }],
    [{ n: '12345678901234567890' }],
    [{ n: null }],
    [{ on: 'maybe' }],
    [{ cabin: 'first' }],
    [{ other: '5' }],
  ])('guesses nothing: %j', (value) => expect(coerce(value, schema)).toEqual(value));
});

describe('isRefusal', () => {
  it.each([
    "I'm sorry, but I can't help with that.",
    'I’m sorry, but I cannot assist with this request.',
    'Sorry, I am unable to help with that.',
    'As an AI language model, I cannot give an opinion on this.',
    'Unfortunately, I cannot comply with this request as it violates policy.',
    'Es tut mir leid, aber ich kann dabei nicht helfen.',
  ])('%s', (text) => expect(isRefusal(text)).toBe(true));
  it.each([
    'I cannot find a flight on that day; the next one is on Monday.',
    'I am sorry to hear that. Your booking is cancelled and EUR 912 will be refunded.',
    'The policy says that employees cannot help themselves to snacks.',
    'You can help yourself with the form on page 3.',
    '',
  ])('not: %s', (text) => expect(isRefusal(text)).toBe(false));
});

describe('groundedness', () => {
  const passages = [
    'A return flight to Asia in economy, for example to Tokyo or Seoul, must not exceed EUR 1,400. Business class needs the approval of a director.',
    'Hotels in Tokyo may cost at most EUR 220 per night. Breakfast is reimbursed up to EUR 15.',
    'The cheapest offer that meets the cabin class and the ceiling is booked.',
  ];
  it('verbatim and near it is supported', () => {
    expect(
      groundednessOf('A return flight to Asia in economy must not exceed EUR 1,400 [1].', passages).score,
    ).toBeGreaterThan(0.9);
    expect(
      groundednessOf(
        'Hotels in Tokyo may cost at most EUR 220 a night. [2]\nBusiness class needs approval of a director.',
        passages,
      ).score,
    ).toBeGreaterThan(0.8);
  });
  it('what nobody said is not, and is named', () => {
    const { score, unsupported } = groundednessOf(
      'Employees receive a company car with unlimited fuel. Hotels in Tokyo may cost at most EUR 220 per night.',
      passages,
    );
    expect(unsupported).toEqual(['Employees receive a company car with unlimited fuel.']);
    expect(score).toBeLessThan(0.7);
  });
  it('a number that was changed is caught, the same number in another form is not', () => {
    expect(
      groundednessOf('A return flight to Asia in economy must not exceed EUR 1,900.', passages).score,
    ).toBeLessThan(0.3);
    expect(
      groundednessOf('A return flight to Asia in economy must not exceed 1400 EUR.', passages).score,
    ).toBeGreaterThan(0.8);
  });
  it('says nothing of an answer that says nothing', () => {
    expect(groundednessOf('The documents do not say anything about company cars.', passages)).toMatchObject({
      score: 1,
      sentences: 0,
    });
    expect(groundednessOf('Which city do you mean?', passages).score).toBe(1);
  });
  it('numbers', () => {
    expect(numbersOf('1. On 2027-05-02 for 1,400.00 and 0.50 [3]')).toEqual(['2027', '5', '2', '1400', '0.5']);
  });
});
