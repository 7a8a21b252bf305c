/** What stays, what goes, and that the beginning of the prompt keeps still while a conversation grows. */
import { type ChatMessage, ChatRequest } from '@tutti/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { countRequest, pack, surelyFits } from './pack.ts';

/** A token a word. */
const count = (text: string) => text.split(/\s+/).filter(Boolean).length;
const words = (n: number, word = 'word') => Array.from({ length: n }, (_, i) => `${word}${i}`).join(' ');
const request = (messages: ChatMessage[], more: Partial<ChatRequest> = {}) =>
  ChatRequest.parse({ messages, now: '2026-11-26T12:00:00Z', ...more });
const exchange = (id: string, result: string): ChatMessage[] => [
  { role: 'assistant', content: null, toolCalls: [{ id, name: 'find', arguments: {} }] },
  { role: 'tool', toolCallId: id, name: 'find', content: result },
];
const turn = (n: number, size = 50): ChatMessage[] => [
  { role: 'user', content: words(size, `q${n}_`) },
  { role: 'assistant', content: words(size, `a${n}_`) },
];
const system: ChatMessage = { role: 'system', content: 'Be kind.' };
const goal: ChatMessage = { role: 'user', content: 'What now?' };
function packed(of: ChatRequest, room: number) {
  const result = pack(of, room, count);
  if (!result.fits) throw new Error(`needs ${result.neededTokens}`);
  return result;
}

describe('packing', () => {
  it('touches nothing that fits', () => {
    const small = request([system, goal]);
    const result = packed(small, 1_000);
    expect(result.request).toBe(small);
    expect(result.report).toBeUndefined();
  });

  it('leaves out the oldest history first, and says so', () => {
    const of = request([system, ...turn(1), ...turn(2), ...turn(3), goal]);
    const { request: out, report } = packed(of, countRequest(of, count) - 10);
    expect(out.messages[0]).toEqual(system);
    expect(out.messages[1]).toEqual({
      role: 'assistant',
      content: '(Some earlier turns of this conversation are left out here.)',
    });
    expect(out.messages.at(-1)).toEqual(goal);
    expect(JSON.stringify(out.messages)).toContain('a3_0');
    expect(report?.leftOut).toEqual([{ kind: 'history', count: 2, tokens: 112 }]);
    expect(report!.inputTokens).toBeLessThanOrEqual(report!.roomTokens);
  });

  it('cuts old tool results before it leaves anything out', () => {
    const of = request([system, goal, ...exchange('c1', words(2_000)), ...exchange('c2', words(300))]);
    const { request: out, report } = packed(of, 1_000);
    expect(report).toMatchObject({ leftOut: [], shrunk: [{ kind: 'thread', count: 1 }] });
    const [first, second] = out.messages.filter(({ role }) => role === 'tool');
    expect(first?.content).toMatch(/^word0 [\s\S]*characters left out[\s\S]*word1999$/);
    expect(second?.content).toBe(words(300));
  });

  it('cuts the newest result where nothing else is left', () => {
    const of = request([system, goal, ...exchange('c1', words(5_000))]);
    const { request: out } = packed(of, 500);
    expect(out.messages).toHaveLength(4);
    expect(countRequest(out, count)).toBeLessThanOrEqual(500);
  });

  it('takes passages from the last, so that the numbers of the others hold', () => {
    const passages = [1, 2, 3].map((n) => ({ id: `p${n}`, document: 'd', title: 't', text: words(100, `p${n}_`) }));
    const of = request([system, goal], { passages });
    const { request: out, report } = packed(of, 280);
    expect(out.passages.map(({ id }) => id)).toEqual(['p1', 'p2']);
    expect(report?.leftOut).toMatchObject([{ kind: 'passages', count: 1 }]);
  });

  it('goes by the segments where the request has them', () => {
    const messages: ChatMessage[] = [system, { role: 'system', content: words(100, 's') }, ...turn(1), goal];
    const of = request(messages, {
      segments: [
        { kind: 'instructions', messages: 1 },
        { kind: 'summary', messages: 1, priority: 10 },
        { kind: 'history', messages: 2 },
        { kind: 'goal', messages: 1 },
      ],
    });
    const { request: out, report } = packed(of, countRequest(of, count) - 5);
    expect(report?.leftOut).toMatchObject([{ kind: 'summary', count: 1 }]);
    expect(out.messages).toContainEqual(turn(1)[0]);
    expect(out.segments).toBeUndefined();
  });

  it('says what it needs when what has to stay is too much', () => {
    expect(pack(request([{ role: 'system', content: words(500) }, goal]), 100, count)).toMatchObject({ fits: false });
  });

  it('keeps the beginning the same while the conversation grows, but for a few jumps', () => {
    const room = 1_000;
    const heads = new Set<string>();
    let longest = 0;
    for (let turns = 10; turns < 40; turns++) {
      const history = Array.from({ length: turns }, (_, n) => turn(n)).flat();
      const { request: out } = packed(request([system, ...history, goal]), room);
      heads.add(JSON.stringify(out.messages.slice(0, 4)));
      longest = Math.max(longest, out.messages.length);
    }
    expect(longest).toBeGreaterThan(10);
    // 30 more turns of 112 tokens are 3,360: a cut that moves by 250 at once moves at most 14 times
    expect(heads.size).toBeLessThanOrEqual(15);
  });
});

it('never parts a call from its results, never reorders, always fits or says that it cannot', () => {
  const message = fc.oneof(
    fc.nat(80).map((n): ChatMessage[] => [{ role: 'user', content: words(n, 'u') }]),
    fc.nat(80).map((n): ChatMessage[] => [{ role: 'assistant', content: words(n, 'a') }]),
    fc.nat(600).map((n) => exchange('c', words(n, 'r'))),
    fc.tuple(fc.nat(300), fc.nat(300)).map(([a, b]): ChatMessage[] => [
      {
        role: 'assistant',
        content: 'two',
        toolCalls: [
          { id: 'x', name: 'find', arguments: {} },
          { id: 'y', name: 'find', arguments: {} },
        ],
      },
      { role: 'tool', toolCallId: 'x', name: 'find', content: words(a, 'x') },
      { role: 'tool', toolCallId: 'y', name: 'find', content: words(b, 'y') },
    ]),
  );
  fc.assert(
    fc.property(fc.array(message, { maxLength: 25 }), fc.integer({ min: 100, max: 4_000 }), (parts, room) => {
      const of = request([system, ...parts.flat(), goal]);
      const result = pack(of, room, count);
      if (!result.fits) return;
      const { messages } = result.request;
      expect(countRequest(result.request, count)).toBeLessThanOrEqual(room);
      expect(messages).toContainEqual(system);
      for (const [index, one] of messages.entries()) {
        if (one.role !== 'assistant' || !one.toolCalls) continue;
        const results = messages.slice(index + 1, index + 1 + one.toolCalls.length);
        expect(results.map((item) => (item.role === 'tool' ? item.toolCallId : ''))).toEqual(
          one.toolCalls.map(({ id }) => id),
        );
      }
      for (const one of messages.filter(({ role }) => role === 'tool'))
        expect(messages[messages.indexOf(one) - 1]?.role).toMatch(/assistant|tool/);
    }),
    { numRuns: 300 },
  );
});

it('a cheap look never says that something fits which does not', () => {
  const text = fc.string({ maxLength: 60, unit: 'binary' });
  fc.assert(
    fc.property(fc.array(text, { minLength: 1, maxLength: 8 }), fc.integer({ min: 50, max: 1_500 }), (texts, room) => {
      const of = request(texts.map((content) => ({ role: 'user', content })));
      const bytes = (value: string) => Buffer.byteLength(value);
      if (surelyFits(of, room)) expect(countRequest(of, bytes)).toBeLessThanOrEqual(room);
    }),
  );
});
