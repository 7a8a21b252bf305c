/**
 * Markdown (or plain text) into blocks: headings, paragraphs, list items and numbered clauses, tables, fenced code.
 * Owns what may be cut apart and what may not. Invariant: every line that holds a word ends up in exactly one block,
 * in order; only front matter, rules (`---`) and the underlines of headings are left out.
 */
export type Block =
  | { kind: 'heading'; level: number; text: string }
  | { kind: 'paragraph'; text: string }
  /** A list item or numbered clause with everything that is indented below it. */
  | { kind: 'item'; text: string; lettered: boolean }
  | { kind: 'table'; head: string[]; rows: string[] }
  | { kind: 'code'; fence: string; open: string; lines: string[] };

const ATX = /^ {0,3}(#{1,6})(?=[ \t]|$)/;
const SETEXT = /^ {0,3}(=+|-{2,})[ \t]*$/;
const RULE = /^ {0,3}([-*_])(?:[ \t]*\1){2,}[ \t]*$/;
const FENCE = /^ {0,3}(`{3,}|~{3,})/;
const TABLE_DIVIDER = /^[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$/;
/** `-`, `1.`, `2)`, `3.2`, `3.2.1`, `§ 4`, and (lettered) `(a)`, `b)`, `(iv)`. */
const ITEM =
  /^([ \t]*)([-*+•]|\d{1,3}[.)]|\d{1,3}(?:\.\d{1,3})+[.)]?|§{1,2}[ \t]*\d+[a-z]?|\([a-z0-9]{1,4}\)|[a-z]\))[ \t]+\S/;
const LETTERED = /^[ \t]*(?:\([a-z0-9]{1,4}\)|[a-z]\))[ \t]/;
const FRONT_MATTER_LINE = /^(?:[\w.-]+[ \t]*:.*|[ \t]*-[ \t].*|[ \t]+.*|#.*|[ \t]*)$/;
const FRONT_MATTER_LINES_MAX = 200;
/** A longer line is no table's divider; the pattern is not linear in blanks. */
const TABLE_DIVIDER_CHARS_MAX = 2_000;

/** The lines without front matter, whatever the line ends were. */
function linesOf(text: string): string[] {
  const lines = text
    .replace(/^\uFEFF/, '')
    .replaceAll('\u0000', '')
    .split(/\r\n|\r|\n/);
  return lines.slice(frontMatterLines(lines));
}

/** Front matter is a first line `---`, YAML and a closing `---`; a rule that is followed by prose is not. */
function frontMatterLines(lines: string[]): number {
  if (lines[0]?.trimEnd() !== '---') return 0;
  for (let i = 1; i < Math.min(lines.length, FRONT_MATTER_LINES_MAX); i++) {
    const line = lines[i]!;
    if (/^(?:---|\.\.\.)[ \t]*$/.test(line)) return i + 1;
    if (!FRONT_MATTER_LINE.test(line)) return 0;
  }
  return 0;
}

const isBlank = (line: string | undefined) => line === undefined || line.trim() === '';
const indentOf = (line: string) => line.length - line.trimStart().length;

export function toBlocks(text: string): Block[] {
  const lines = linesOf(text);
  const blocks: Block[] = [];
  let at = 0;
  while (at < lines.length) {
    const line = lines[at]!;
    if (isBlank(line) || RULE.test(line)) at += 1;
    else
      at =
        takeFence(lines, at, blocks) ??
        takeHeading(lines, at, blocks) ??
        takeTable(lines, at, blocks) ??
        takeText(lines, at, blocks);
  }
  return blocks;
}

function takeFence(lines: string[], at: number, blocks: Block[]): number | undefined {
  const fence = FENCE.exec(lines[at]!)?.[1];
  if (!fence) return undefined;
  let end = at + 1;
  while (end < lines.length && !isClosing(lines[end]!, fence)) end += 1;
  blocks.push({ kind: 'code', fence, open: lines[at]!.trim(), lines: lines.slice(at + 1, end) });
  return end + 1;
}

function isClosing(line: string, fence: string): boolean {
  const text = line.trim();
  return text.startsWith(fence) && text.replaceAll(fence[0]!, '') === '';
}

function takeHeading(lines: string[], at: number, blocks: Block[]): number | undefined {
  const atx = ATX.exec(lines[at]!);
  if (!atx) return undefined;
  const text = lines[at]!.slice(atx[0].length).trim();
  blocks.push({ kind: 'heading', level: atx[1]!.length, text: plainHeading(text.replace(/(?:^|[ \t])#+$/, '')) });
  return at + 1;
}

/** Emphasis and code marks are noise in a section path. */
function plainHeading(text: string): string {
  return text.replace(/\*\*|__|`/g, '').trim();
}

function takeTable(lines: string[], at: number, blocks: Block[]): number | undefined {
  if (!isTableHead(lines, at)) return undefined;
  let end = at + 2;
  while (end < lines.length && !isBlank(lines[end]) && lines[end]!.includes('|')) end += 1;
  blocks.push({ kind: 'table', head: lines.slice(at, at + 2), rows: lines.slice(at + 2, end) });
  return end;
}

function takeText(lines: string[], at: number, blocks: Block[]): number {
  const item = ITEM.exec(lines[at]!);
  return item ? takeItem(lines, at, item[1]!.length, blocks) : takeParagraph(lines, at, blocks);
}

/** Does a line end what is above it, without a blank line between? */
function interrupts(lines: string[], at: number): boolean {
  const line = lines[at]!;
  return ATX.test(line) || RULE.test(line) || FENCE.test(line) || ITEM.test(line) || isTableHead(lines, at);
}
function isTableHead(lines: string[], at: number): boolean {
  const divider = lines[at + 1];
  if (!lines[at]!.includes('|') || !divider?.includes('-') || !divider.includes('|')) return false;
  return divider.length <= TABLE_DIVIDER_CHARS_MAX && TABLE_DIVIDER.test(divider);
}

function takeItem(lines: string[], at: number, indent: number, blocks: Block[]): number {
  let end = at + 1;
  while (end < lines.length) {
    const line = lines[end]!;
    if (isBlank(line)) {
      const next = nextWritten(lines, end);
      if (next >= lines.length || indentOf(lines[next]!) <= indent + 1) break;
      end = next;
    } else if (indentOf(line) > indent + 1 || !interrupts(lines, end)) end += 1;
    else break;
  }
  const text = lines.slice(at, end).join('\n').trimEnd();
  blocks.push({ kind: 'item', text, lettered: LETTERED.test(text) });
  return end;
}

function nextWritten(lines: string[], at: number): number {
  while (at < lines.length && isBlank(lines[at])) at += 1;
  return at;
}

function takeParagraph(lines: string[], at: number, blocks: Block[]): number {
  let end = at + 1;
  while (end < lines.length && !isBlank(lines[end])) {
    if (end === at + 1 && SETEXT.test(lines[end]!)) {
      blocks.push({
        kind: 'heading',
        level: lines[end]!.trim().startsWith('=') ? 1 : 2,
        text: plainHeading(lines[at]!),
      });
      return end + 1;
    }
    if (interrupts(lines, end)) break;
    end += 1;
  }
  blocks.push({ kind: 'paragraph', text: lines.slice(at, end).join('\n').trim() });
  return end;
}
