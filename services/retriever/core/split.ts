/** Cuts one block that is too long, at the gentlest place there is: rows, lines, sentences, words, and only then anywhere. */
import type { Block } from './blocks.ts';

const SENTENCE_END = /(?<=[.!?。！？…]["'”’)\]]?)\s+/u;

export function textOf(block: Exclude<Block, { kind: 'heading' }>): string {
  switch (block.kind) {
    case 'paragraph':
    case 'item':
      return block.text;
    case 'table':
      return [...block.head, ...block.rows].join('\n');
    case 'code':
      return [block.open, ...block.lines, block.fence].join('\n');
    default:
      return block satisfies never;
  }
}

/** Pieces of at most `charsMax` characters. A table repeats its head in each, code its fence, where there is room for it. */
export function splitBlock(block: Exclude<Block, { kind: 'heading' }>, charsMax: number): string[] {
  if (textOf(block).length <= charsMax) return [textOf(block)];
  switch (block.kind) {
    case 'paragraph':
    case 'item':
      return splitText(block.text, charsMax);
    case 'table':
      return splitFramed(block.rows, block.head, [], charsMax);
    case 'code':
      return splitFramed(block.lines, [block.open], [block.fence], charsMax);
    default:
      return block satisfies never;
  }
}

function splitFramed(lines: string[], head: string[], foot: string[], charsMax: number): string[] {
  const frame = [...head, ...foot].join('\n').length + 2;
  if (frame > charsMax / 2) return splitText([...head, ...lines, ...foot].join('\n'), charsMax);
  return gather(
    lines.flatMap((line) => splitText(line, charsMax - frame)),
    '\n',
    charsMax - frame,
  ).map((body) => [...head, body, ...foot].join('\n'));
}

/** Prose: at line ends if it has several lines that fit, else at sentence ends, else between words. */
export function splitText(text: string, charsMax: number): string[] {
  if (text.length <= charsMax) return [text];
  const lines = text.split('\n');
  if (lines.length > 1)
    return gather(
      lines.flatMap((line) => splitText(line, charsMax)),
      '\n',
      charsMax,
    );
  const sentences = text.split(SENTENCE_END);
  if (sentences.length > 1)
    return gather(
      sentences.flatMap((sentence) => splitText(sentence, charsMax)),
      ' ',
      charsMax,
    );
  const words = text.split(/\s+/).filter(Boolean);
  return gather(
    words.flatMap((word) => cut(word, charsMax)),
    ' ',
    charsMax,
  );
}

/** The sentences (or lines) at the end of `text` that fit into `charsMax`; empty when not even the last one does. */
export function tailOf(text: string, charsMax: number): string {
  if (text.length <= charsMax) return text;
  const sentences = text.split(/\n|(?<=[.!?。！？…]["'”’)\]]?)\s+/u);
  let tail = '';
  for (let i = sentences.length - 1; i > 0; i--) {
    const next = tail ? `${sentences[i]} ${tail}` : sentences[i]!;
    if (next.length > charsMax) break;
    tail = next;
  }
  return tail;
}

function gather(parts: string[], glue: string, charsMax: number): string[] {
  const out: string[] = [];
  let current = '';
  for (const part of parts) {
    if (current && current.length + glue.length + part.length > charsMax) {
      out.push(current);
      current = part;
    } else current = current ? current + glue + part : part;
  }
  if (current.trim()) out.push(current);
  return out;
}

/** Never between the halves of a surrogate pair. */
function cut(word: string, charsMax: number): string[] {
  const out: string[] = [];
  let from = 0;
  while (word.length - from > charsMax) {
    const high = word.charCodeAt(from + charsMax - 1);
    const to = from + charsMax - (high >= 0xd800 && high <= 0xdbff && charsMax > 1 ? 1 : 0);
    out.push(word.slice(from, to));
    from = to;
  }
  out.push(word.slice(from));
  return out;
}
