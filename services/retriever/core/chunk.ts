/**
 * A document into chunks: what is indexed, found and cited. Chunks never cross a heading, so that each has one section
 * path (`3 Flights › 3.2 Fare ceilings`); paragraphs, list items and numbered clauses stay whole while they fit.
 * Invariants: no word of the body is lost, order is kept, no chunk is longer than `charsMax`, and the same text gives
 * the same chunks on every replica.
 */
import { type Block, toBlocks } from './blocks.ts';
import { splitBlock, splitText, tailOf, textOf } from './split.ts';

export interface ChunkLimits {
  /** A chunk is closed when the next unit would take it past this … */
  charsTarget: number;
  /** … and nothing is ever longer than this. */
  charsMax: number;
  /** How much of a chunk's end is repeated at the start of the next one of the same section. */
  overlapChars: number;
}

export interface Chunk {
  section: string | undefined;
  text: string;
}

export const SECTION_SEPARATOR = ' › ';
/** A heading longer than this is text as well: the path shows its start. */
export const HEADING_CHARS_MAX = 160;

type Body = Exclude<Block, { kind: 'heading' }>;
interface Section {
  path: string[];
  body: Body[];
}

export function chunkDocument(title: string, text: string, limits: ChunkLimits): Chunk[] {
  return toSections(title, toBlocks(text)).flatMap((section) => {
    const path = section.path.join(SECTION_SEPARATOR) || undefined;
    return packSection(section.body, limits).map((chunk) => ({ section: path, text: chunk }));
  });
}

function toSections(title: string, blocks: Block[]): Section[] {
  const sections: Section[] = [{ path: [], body: [] }];
  const open: { level: number; text: string }[] = [];
  for (const [at, block] of blocks.entries()) {
    if (block.kind !== 'heading') {
      sections.at(-1)!.body.push(block);
      continue;
    }
    while (open.length && open.at(-1)!.level >= block.level) open.pop();
    if (!block.text) continue;
    const isTitle = repeats(title, block);
    if (!isTitle) open.push({ level: block.level, text: block.text.slice(0, HEADING_CHARS_MAX) });
    sections.push({ path: open.map((heading) => heading.text), body: [] });
    if (block.text.length > HEADING_CHARS_MAX || (!isTitle && isBare(blocks, at)))
      sections.at(-1)!.body.push({ kind: 'paragraph', text: block.text });
  }
  return sections.filter((section) => section.body.length > 0);
}

/** A heading with nothing below it, neither text nor a deeper heading: its own words are all that there is to find. */
function isBare(blocks: Block[], at: number): boolean {
  const heading = blocks[at] as Extract<Block, { kind: 'heading' }>;
  const next = blocks[at + 1];
  return !next || (next.kind === 'heading' && (next.level <= heading.level || !next.text));
}

/** A first-level heading that the title says already: in the path of every section it would only be in the way. */
function repeats(title: string, heading: Extract<Block, { kind: 'heading' }>): boolean {
  return heading.level === 1 && title.toLowerCase().includes(heading.text.trim().toLowerCase());
}

function packSection(body: Body[], limits: ChunkLimits): string[] {
  const chunks: string[] = [];
  let parts: string[] = [];
  let length = 0;
  let fresh = false;
  const flush = () => {
    if (fresh) chunks.push(parts.join('\n\n'));
    fresh = false;
  };
  for (const unit of toUnits(body, limits)) {
    const wanted = length + 2 + unit.text.length;
    const isSmall = length < limits.charsTarget / 3;
    if (fresh && (wanted > limits.charsMax || (wanted > limits.charsTarget && !isSmall))) {
      const tail = overlapOf(parts.at(-1)!, unit, limits);
      flush();
      parts = tail ? [tail] : [];
      length = tail.length;
    }
    parts.push(unit.text);
    length += (parts.length > 1 ? 2 : 0) + unit.text.length;
    fresh = true;
  }
  flush();
  return chunks;
}

interface Unit {
  text: string;
  /** Tables and code are not repeated in part. */
  prose: boolean;
}

function overlapOf(last: string, next: Unit, limits: ChunkLimits): string {
  if (!next.prose || /^(?:\||```|~~~)/.test(last.trimStart())) return '';
  const tail = tailOf(last, limits.overlapChars).trim();
  return tail.length + 2 + next.text.length <= limits.charsMax ? tail : '';
}

/** What stays together: an introduction that ends in a colon with its list, a clause with its lettered points. */
function toUnits(body: Body[], limits: ChunkLimits): Unit[] {
  const units: Unit[] = [];
  let at = 0;
  while (at < body.length) {
    const end = groupEnd(body, at, limits.charsMax);
    if (end > at + 1) units.push({ text: joined(body.slice(at, end)), prose: true });
    else units.push(...pieces(body[at]!, limits));
    at = end;
  }
  return units.filter((unit) => unit.text.trim());
}

function pieces(block: Body, limits: ChunkLimits): Unit[] {
  const prose = block.kind === 'paragraph' || block.kind === 'item';
  if (textOf(block).length <= limits.charsMax) return [{ text: textOf(block), prose }];
  // Prose that must be cut anyway is cut at the target size, which leaves room for the overlap.
  const cut = prose ? splitText(textOf(block), limits.charsTarget) : splitBlock(block, limits.charsMax);
  return cut.map((text) => ({ text, prose }));
}

function groupEnd(body: Body[], at: number, charsMax: number): number {
  let end = at + 1;
  let length = textOf(body[at]!).length;
  const leads = /[:：]\s*$/.test(textOf(body[at]!));
  while (end < body.length) {
    const next = body[end]!;
    const belongs =
      next.kind === 'item' ? leads || (next.lettered && body[at]!.kind === 'item') : leads && end === at + 1;
    length += 2 + textOf(next).length;
    if (!belongs || length > charsMax) break;
    end += 1;
    if (next.kind !== 'item') break;
  }
  return end;
}

function joined(blocks: Body[]): string {
  return blocks.map(textOf).reduce((text, next, i) => {
    const glue = blocks[i]!.kind === 'item' && blocks[i - 1]!.kind === 'item' ? '\n' : '\n\n';
    return text + glue + next;
  });
}
