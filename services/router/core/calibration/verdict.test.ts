import { describe, expect, it } from 'vitest';
import type { Expected } from './asks/index.ts';
import { makeAsks } from './asks/index.ts';
import { isRight } from './verdict.ts';

const right = (expected: Expected, content: string, ...tools: string[]) => isRight(expected, { content, tools });

/** As a model would that knows it. */
function answerTo(expected: Expected): { content: string; tools: string[] } {
  switch (expected.kind) {
    case 'number':
      return { content: `First 7, then more: ${expected.value}.`, tools: [] };
    case 'words':
      return { content: `It is ${expected.all.join(' and ')}.`, tools: [] };
    case 'line':
      return { content: `Here you are:\n"${expected.text}"`, tools: [] };
    case 'order':
      return { content: expected.names.map((name, at) => `${at + 1}. ${name}`).join('\n'), tools: [] };
    case 'json':
      return { content: JSON.stringify(expected.value, null, 2), tools: [] };
    case 'tools':
      return { content: '', tools: [...expected.names, ...expected.names] };
  }
}

describe('a verdict', () => {
  it('accepts the right answer to every ask of the set, and neither silence nor another one', () => {
    for (const { id, expected } of makeAsks(1, 40)) {
      expect([id, isRight(expected, answerTo(expected))]).toEqual([id, true]);
      expect([id, right(expected, '')]).toEqual([id, false]);
      expect([id, right(expected, 'Hm, 0.123.', 'nothing')]).toEqual([id, false]);
    }
  });

  it.each([
    [{ kind: 'number', value: 1_200 }, '100 + 1,100 = 1,200', '1,200 and not 12'],
    [{ kind: 'words', all: ['Ann'], none: ['Ben'] }, 'ann sits there', 'Annabel sits there'],
    [{ kind: 'words', all: ['Ann'], none: ['Ben'] }, 'Ann!', 'Ann or Ben'],
    [{ kind: 'words', all: ['true'], none: ['false'] }, 'True.', 'untrue'],
    [{ kind: 'line', text: 'a, b' }, '`a, b`', 'a and b'],
    [{ kind: 'line', text: 'LAMPS' }, 'LAMPS', 'lamps'],
    [{ kind: 'order', names: ['paint', 'floor'], before: [['paint', 'floor']] }, 'Paint, floor', 'floor, paint'],
    [{ kind: 'json', value: { a: 1, b: 'x' } }, '{"b":"x","a":1}', '{"a":1}'],
  ] as [Expected, string, string][])('%j: %s, not %s', (expected, yes, no) => {
    expect(right(expected, yes)).toBe(true);
    expect(right(expected, no)).toBe(false);
  });

  it('tools: all of them and no other', () => {
    const expected: Expected = { kind: 'tools', names: ['route', 'flights'] };
    expect(right(expected, '', 'flights', 'route')).toBe(true);
    expect(right(expected, '', 'flights')).toBe(false);
    expect(right(expected, '', 'flights', 'route', 'news')).toBe(false);
  });
});
