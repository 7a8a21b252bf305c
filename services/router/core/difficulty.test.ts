/** What holds of the features and the built-in weights, whatever their numbers are. */
import { ChatRequest } from '@tutti/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { difficultyOf, EASIER, FEATURES, featuresOf } from './difficulty.ts';
import { DEFAULT_THRESHOLDS, DEFAULT_WEIGHTS } from './routing-defaults.ts';

type Given = Partial<Parameters<typeof ChatRequest.parse>[0] & object>;
const features = (content: string, more: Given = {}) =>
  featuresOf(ChatRequest.parse({ messages: [{ role: 'user', content }], now: '2026-11-24T09:00:00Z', ...more }));
const difficulty = (content: string, more: Given = {}) => difficultyOf(features(content, more));
const tool = (name: string) => ({ name, description: '', parameters: { type: 'object' }, effect: 'pure' as const });
const schema = (...names: string[]) => ({
  type: 'json_schema' as const,
  name: 'r',
  schema: { type: 'object', properties: Object.fromEntries(names.map((name) => [name, { type: 'string' }])) },
});

describe('difficulty', () => {
  it('is a share of 1, of whatever is asked', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 400, unit: 'grapheme' }), (text) => {
        const share = difficulty(text);
        expect(share).toBeGreaterThan(0);
        expect(share).toBeLessThan(1);
      }),
    );
  });

  it('only rises with what makes an ask harder, and only falls with what makes it easier', () => {
    const share = fc.double({ min: 0, max: 6, noNaN: true });
    const given = fc.record(Object.fromEntries(FEATURES.map((name) => [name, share])) as Record<string, typeof share>);
    fc.assert(
      fc.property(given, fc.constantFrom(...FEATURES.filter((name) => name !== 'bias')), (values, name) => {
        const base = values as ReturnType<typeof features>;
        const more = difficultyOf({ ...base, [name]: base[name] + 1 }) - difficultyOf(base);
        if (EASIER.has(name)) expect(more).toBeLessThanOrEqual(0);
        else expect(more).toBeGreaterThanOrEqual(0);
      }),
    );
  });

  it.each([
    ['another number to add', 'Add 4 and 5.', 'Add 4 and 5 and 9.'],
    ['another condition', 'Find a room.', 'Find a room, but only if it is free.'],
    ['another person', 'When is Ann free?', 'When is Ann free, and when is Ben?'],
    ['a relation', 'List the guests.', 'List the guests in order, each before the next.'],
    ['a reason', 'What is ice?', 'Explain why ice floats, and compare it with iron.'],
  ])('rises with %s', (_, simple, hard) => {
    expect(difficulty(hard)).toBeGreaterThan(difficulty(simple));
  });

  it('rises with tools, earlier turns, fields of a form, loops of a program', () => {
    const ask = 'What now?';
    const earlier = [
      { role: 'user' as const, content: 'Remember 4.' },
      { role: 'assistant' as const, content: 'Noted.' },
    ];
    const base = difficulty(ask);
    expect(difficulty(ask, { tools: [tool('a'), tool('b')] })).toBeGreaterThan(base);
    expect(difficulty(ask, { responseFormat: schema('a', 'b') })).toBeGreaterThan(base);
    expect(difficulty(ask, { messages: [...earlier, { role: 'user', content: ask }] })).toBeGreaterThan(base);
    const program = (body: string) => `${ask}\n\`\`\`python\n${body}\n\`\`\``;
    expect(difficulty(program('for i in x:\n  if i > 2:\n    print(i)'))).toBeGreaterThan(
      difficulty(program('print(i)')),
    );
  });

  it('is not moved by how long the material is that is in between', () => {
    const ask = (lines: number) =>
      `Which status does the error have?\n${'2027-03-01 INFO done: status=200\n'.repeat(lines)}\nTell me.`;
    expect(Math.abs(difficulty(ask(200)) - difficulty(ask(100)))).toBeLessThan(0.02);
    const record = (orders: number) =>
      `Which city?\n${JSON.stringify({ orders: Array(orders).fill({ city: 'Oslo', items: 4 }) })}`;
    expect(difficulty(record(50))).toBe(difficulty(record(2)));
  });

  it('sends a greeting to the small model, and a plan with conditions to the large one', () => {
    expect(difficulty('Hello')).toBeLessThan(DEFAULT_THRESHOLDS.medium);
    const plan =
      'Plan the week: paint before the floor, Ann only on Monday and Ben never before Tuesday, at most 3 jobs a day, no more than 1,200 euros in total, and explain why each order is the best.';
    expect(difficulty(plan)).toBeGreaterThan(DEFAULT_THRESHOLDS.large);
  });

  it('takes the weights that it is given, and the built-in ones for the others', () => {
    const asked = features('Add 4 and 5.');
    expect(difficultyOf(asked, {})).toBe(difficultyOf(asked, DEFAULT_WEIGHTS));
    expect(difficultyOf(asked, { bias: 9 })).toBeGreaterThan(0.99);
    expect(difficultyOf(asked, { unknown: 9 })).toBe(difficultyOf(asked));
  });

  it('costs no more than a fraction of a millisecond, however long the message is', () => {
    const long = 'If A is greater than B, then "C" {x; y}\n'.repeat(20_000);
    const from = performance.now();
    for (let i = 0; i < 20; i++) difficulty(long);
    // a machine that is busy with the other tests as well
    expect((performance.now() - from) / 20).toBeLessThan(25);
  });
});
