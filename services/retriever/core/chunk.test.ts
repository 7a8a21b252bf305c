/** Golden chunks of one document that has everything, and properties over generated ones. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ChunkLimits, chunkDocument } from './chunk.ts';

const limits: ChunkLimits = { charsTarget: 300, charsMax: 480, overlapChars: 60 };
const chunk = (text: string, title = 'A title', own: Partial<ChunkLimits> = {}) =>
  chunkDocument(title, text, { ...limits, ...own });

describe('sections', () => {
  it('gives each chunk the path of its headings and leaves out the title', () => {
    const text =
      '---\nowner: desk\ntags: [a, b]\n---\n# Travel policy\n\nIntro.\n\n## 3 Flights\n\n### 3.2 Fare ceilings\n\nEUR 400.\n\n## 4 Hotels\nEUR 150.\n';
    expect(chunk(text, 'Travel policy')).toEqual([
      { section: undefined, text: 'Intro.' },
      { section: '3 Flights › 3.2 Fare ceilings', text: 'EUR 400.' },
      { section: '4 Hotels', text: 'EUR 150.' },
    ]);
  });

  it('reads underlined headings, closing marks, emphasis and Windows line ends', () => {
    expect(chunk('Flights\r\n=======\r\nOne.\r\n\r\n## **Fares** ##\r\nTwo.')).toEqual([
      { section: 'Flights', text: 'One.' },
      { section: 'Flights › Fares', text: 'Two.' },
    ]);
  });

  it('keeps a rule and a heading apart from front matter', () => {
    expect(
      chunk('---\nThis is prose, no front matter.\n---\nMore.').map((c) => `${c.section ?? ''}|${c.text}`),
    ).toEqual(['This is prose, no front matter.|More.']);
  });

  it('keeps a heading that has nothing below it', () => {
    expect(chunk('# Only this\n')).toEqual([{ section: 'Only this', text: 'Only this' }]);
    expect(chunk('')).toEqual([]);
  });

  it('does not take the # of code for a heading', () => {
    expect(chunk('## Run\n```sh\n# not a heading\nls\n```\n')).toEqual([
      { section: 'Run', text: '```sh\n# not a heading\nls\n```' },
    ]);
  });
});

describe('what stays together', () => {
  const sentence = (n: number) => `Sentence number ${n} says something about fares and cabins.`;

  it('keeps an introduction with its list and a clause with its points', () => {
    const clause = `3.3.1 Business class is reserved:\n(a) with a certificate;\n(b) with consent.`;
    const filler = Array.from({ length: 5 }, (_, i) => sentence(i)).join(' ');
    const chunks = chunk(`${filler}\n\n${clause}\n\n${filler}`);
    expect(chunks.filter((c) => c.text.includes('3.3.1 Business class'))).toHaveLength(1);
    expect(chunks.find((c) => c.text.includes('3.3.1'))!.text).toContain('(b) with consent.');
  });

  it('keeps nested points and continued lines with their item', () => {
    const text = '- first\n  goes on\n\n  and on\n    - nested\n- second';
    expect(chunk(text, 'x', { charsTarget: 20, charsMax: 60, overlapChars: 0 }).map((c) => c.text)).toEqual([
      '- first\n  goes on\n\n  and on\n    - nested',
      '- second',
    ]);
  });

  it('cuts a long table between rows and repeats its head', () => {
    const rows = Array.from({ length: 30 }, (_, i) => `| City ${i} | EUR ${100 + i} per night |`);
    const chunks = chunk(['| City | Ceiling |', '| --- | --- |', ...rows].join('\n'));
    expect(chunks.length).toBeGreaterThan(1);
    for (const { text } of chunks) expect(text.startsWith('| City | Ceiling |\n| --- | --- |\n| City ')).toBe(true);
    expect(chunks.flatMap((c) => c.text.split('\n').slice(2))).toEqual(rows);
  });

  it('cuts long code between lines and keeps the fence', () => {
    const lines = Array.from({ length: 40 }, (_, i) => `console.log("line ${i}");`);
    const chunks = chunk(['```js', ...lines, '```'].join('\n'));
    for (const { text } of chunks) expect(text).toMatch(/^```js\n[\s\S]*\n```$/);
    expect(chunks.flatMap((c) => c.text.split('\n').slice(1, -1))).toEqual(lines);
  });

  it('cuts prose at sentences and repeats the last one in the next chunk', () => {
    const text = Array.from({ length: 20 }, (_, i) => sentence(i)).join(' ');
    const chunks = chunk(text);
    expect(chunks.length).toBeGreaterThan(2);
    for (const [i, { text: body }] of chunks.entries()) {
      expect(body).toMatch(/cabins\.$/);
      if (i > 0) expect(body.startsWith(chunks[i - 1]!.text.split(/(?<=\.) /).at(-1)!)).toBe(true);
    }
  });
});

describe('properties', () => {
  const word = fc.stringMatching(/^[a-z]{1,9}$/);
  const words = fc.array(word, { minLength: 1, maxLength: 60 });
  const block = fc.oneof(
    words.map((w) => w.join(' ')),
    words.map((w) => `${w.join('. ')}.`),
    words.map((w) => w.join('\n')),
    words.map((w) => w.map((one) => `- ${one}`).join('\n')),
    words.map((w) => w.map((one, i) => `${i + 1}. ${one}\n   - ${one}`).join('\n\n')),
    words.map((w) => w.map((one, i) => `3.${i + 1} ${one}`).join('\n')),
    words.map((w) => `\`\`\`\n${w.join('\n')}\n\`\`\``),
    words.map((w) => `| a | b |\n|---|---|\n${w.map((one) => `| ${one} | x |`).join('\n')}`),
    fc
      .tuple(fc.integer({ min: 1, max: 6 }), words)
      .map(([level, w]) => `${'#'.repeat(level)} ${w.slice(0, 8).join(' ')}`),
    words.map((w) => `> ${w.join(' ')}`),
    fc.constantFrom('---', '', '\t', '#', '***', ':'),
  );
  const document = fc.array(block, { maxLength: 14 }).map((blocks) => number(blocks.join('\n\n')));
  /** Each word once, so that a lost one is seen. */
  function number(text: string): string {
    let n = 0;
    return text.replace(/[a-z]+/g, (found) => `${found}${n++}`);
  }
  const wordsOf = (text: string) => text.match(/[a-z]+\d+/g) ?? [];

  it('loses no word, keeps the order, and is never longer than the limit', () => {
    fc.assert(
      fc.property(document, (text) => {
        const chunks = chunk(text);
        const found = new Set(chunks.flatMap((c) => wordsOf(`${c.section ?? ''} ${c.text}`)));
        expect(wordsOf(text).filter((one) => !found.has(one))).toEqual([]);
        const order = chunks.flatMap((c) => wordsOf(c.text)).map((one) => Number(/\d+$/.exec(one)![0]));
        const firsts = order.filter((n, i) => order.indexOf(n) === i);
        // The words of a table's head and of section paths come again; what is new comes in order.
        expect(firsts).toEqual([...firsts].sort((a, b) => a - b));
        for (const { text: body } of chunks) {
          expect(body.length).toBeLessThanOrEqual(limits.charsMax);
          expect(body.trim()).not.toBe('');
        }
      }),
      { numRuns: 300 },
    );
  });

  it('takes any text at all', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 600 }), (text) => {
        for (const { text: body } of chunk(text, 'x', { charsTarget: 40, charsMax: 64, overlapChars: 10 }))
          expect(body.length).toBeLessThanOrEqual(64);
      }),
    );
  });

  it('takes long hostile lines in linear time', () => {
    const n = 200_000;
    for (const text of [
      `# ${' '.repeat(n)}x`,
      `a|b\n-|${' '.repeat(n)}x`,
      '#'.repeat(n),
      '- '.repeat(n),
      `${'1.'.repeat(n)} x`,
      '\n'.repeat(n),
      '|'.repeat(n),
      `- a\n${'\n'.repeat(n)}b`,
    ])
      expect(chunk(text).every((c) => c.text.length <= limits.charsMax)).toBe(true);
  });
});
