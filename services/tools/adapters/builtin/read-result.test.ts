/** Reading on in a long result: what is read, who may, and as what it counts. */
import type { KeptResult, Label } from '@tutti/contracts';
import { describe, expect, it } from 'vitest';
import { pageOf, search } from '../../core/read-on.ts';
import { readerOf } from '../../core/reader.ts';
import type { Asker } from '../../ports/tool-source.ts';
import { createReadResult, READ_CHARS_MAX } from './read-result.ts';

describe('a page', () => {
  it('pages join to the whole, whatever their size, and cut no character in two', () => {
    const content = 'a😀b😀😀c'.repeat(50);
    for (const limit of [1, 2, 3, 7, 1_000]) {
      let joined = '';
      for (let offset = 0; offset < content.length; ) {
        const { from, to, text } = pageOf(content, offset, limit);
        expect(from).toBe(offset);
        expect(to).toBeGreaterThan(offset);
        expect(text.isWellFormed()).toBe(true);
        joined += text;
        offset = to;
      }
      expect(joined).toBe(content);
    }
  });
  it('behind the end there is nothing', () => {
    expect(pageOf('abc', 10, 5)).toEqual({ from: 3, to: 3, text: '' });
  });
});

describe('a search', () => {
  const text = `${'x'.repeat(100)} Total: 12.50 (net) ${'y'.repeat(100)} total: 12.50 (net)`;
  it('takes words as they stand, whatever their case, with what is around them', () => {
    const { found, next } = search(text, '12.50 (NET)', { offset: 0, context: 8, countMax: 10 });
    expect(found.map(({ around }) => around.text)).toEqual([' Total: 12.50 (net) yyyyyyy', ' total: 12.50 (net)']);
    expect(next).toBeUndefined();
    expect(search(text, '12x50', { offset: 0, context: 8, countMax: 10 }).found).toEqual([]);
  });
  it('says where more begins', () => {
    const first = search(text, 'total', { offset: 0, context: 0, countMax: 1 });
    expect(first.found.map(({ at }) => at)).toEqual([101]);
    const second = search(text, 'total', { offset: first.next!, context: 0, countMax: 1 });
    expect(second).toMatchObject({ found: [{ at: first.next }], next: undefined });
  });
});

describe('read_result', () => {
  const label: Label = { integrity: 'untrusted', confidentiality: ['hr'] };
  const REFERENCE = 'res_0123456789abcdef0123';
  const content = Array.from({ length: 10_000 }, (_, i) => `line ${i}`).join('\n');
  const about: KeptResult = {
    v: 1,
    blob: 'b',
    hash: 'h',
    tool: 'list',
    label,
    run: 'run_a',
    root: 'run_root',
    session: 'ses_a',
  };
  const read = createReadResult({
    resultCharsMax: 32_000,
    results: {
      keep: () => Promise.reject(new Error('not here')),
      read: async (tenant, reference) => (tenant === 'acme' && reference === REFERENCE ? { about, content } : null),
    },
  });
  const ask = (args: object, asker?: Partial<Asker>) => {
    const who = { tenant: 'acme', run: 'run_a', ...asker };
    return read({ result: REFERENCE, ...args }, { asker: who, signal: AbortSignal.timeout(1_000), timeoutMs: 1_000 });
  };

  it('reads from a place on, says what is next, and what it is', async () => {
    const first = await ask({ offset: 20_000, limit: 1_000 });
    expect(first).toMatchObject({ isError: false, label });
    const [head, text] = cutHead(first.content);
    expect(head).toBe(`[Characters 20000 to 21000 of ${content.length} of the result of list; offset 21000 reads on.]`);
    expect(text).toBe(content.slice(20_000, 21_000));
    expect((await ask({ offset: content.length - 5 })).content).toMatch(/this is its end\.\]\n 9999$/);
  });
  it('finds words', async () => {
    const found = await ask({ find: 'line 9876' });
    expect(found).toMatchObject({ isError: false, label });
    expect(found.content).toMatch(/^\[Found at 1 places in .*; there are no more\.\]\n\[at \d+\]\n/);
    expect(found.content).toContain('line 9877');
    expect((await ask({ find: 'no such line' })).content).toMatch(/^\[Not found in/);
    const many = await ask({ find: 'LINE 1' });
    expect(many.content).toMatch(/^\[Found at 10 places in .*offset \d+ finds more/);
  });
  it('never says more than a result may', async () => {
    const small = createReadResult({
      resultCharsMax: 1_000,
      results: { keep: fails, read: async () => ({ about, content }) },
    });
    const options = { asker: { tenant: 'acme', run: 'run_a' }, signal: AbortSignal.timeout(1_000), timeoutMs: 1_000 };
    for (const args of [{ limit: READ_CHARS_MAX }, { find: 'line' }]) {
      const { content: said } = await small({ result: REFERENCE, ...args }, options);
      expect(said.length).toBeLessThanOrEqual(1_000);
    }
  });
  it.each([
    ['the same run', {}, true],
    ['another run of its tree', { run: 'run_b', root: 'run_root' }, true],
    ['a later run of the conversation', { run: 'run_b', root: 'run_b', session: 'ses_a' }, true],
    ['another run', { run: 'run_b', root: 'run_b', session: 'ses_b' }, false],
    ['a run that says nothing of itself', { run: undefined }, false],
    ['the same run of another tenant', { tenant: 'other' }, false],
  ])('%s: %o may read it: %s', async (_who, asker, may) => {
    const answer = await ask({}, asker);
    expect(answer.isError).toBe(!may);
    if (!may)
      expect(answer).toEqual({ content: `There is no result "${REFERENCE}" in this conversation.`, isError: true });
  });
  it('nobody in particular reads nothing', async () => {
    const options = { signal: AbortSignal.timeout(1_000), timeoutMs: 1_000 };
    expect((await read({ result: REFERENCE }, options)).isError).toBe(true);
  });
});

describe('which tool an agent reads on with', () => {
  const bundle = (tools: object, own: string[]) =>
    ({ agents: { a: { tools: own } }, tools }) as unknown as Parameters<typeof readerOf>[0];
  const builtin = { type: 'builtin', prefix: '', tools: {} };
  it.each([
    ['listed', { b: builtin }, ['read_result'], 'read_result'],
    ['under a prefix', { b: { ...builtin, prefix: 'x_' } }, ['x_*'], 'x_read_result'],
    ['not listed', { b: builtin }, ['calculator'], undefined],
    ['not taken', { b: { ...builtin, allow: ['calculator'] } }, ['*'], undefined],
    ['of two sources', { b: builtin, c: builtin }, ['*'], undefined],
    ['no source', {}, ['*'], undefined],
  ])('%s', (_name, tools, own, name) => expect(readerOf(bundle(tools, own), 'a')).toBe(name));
});

const fails = () => Promise.reject(new Error('not here'));
function cutHead(text: string): [string, string] {
  const at = text.indexOf('\n');
  return [text.slice(0, at), text.slice(at + 1)];
}
