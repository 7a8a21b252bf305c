/**
 * Fits a request into a model's window. Pure: the same request, room and tokenizer give the same messages.
 * Invariants: instructions and the goal stay; a tool call is never parted from its results; what stays keeps its order;
 * passages go from the last, so that the numbers of the others hold. The cut through history and through the run's own
 * turns moves in large steps: between two steps the beginning of the prompt stays the same, and with it a provider's
 * prompt cache.
 */
import type { ChatMessage, ChatRequest } from '@tutti/contracts';
import { type Unit, unitsOf } from './pack-units.ts';
import { shrinkText } from './shrink-text.ts';

export type CountTokens = (text: string) => number;

/** What every message costs beside its text, and every request. */
export const MESSAGE_TOKENS = 6;
export const REQUEST_TOKENS = 32;
/** UTF-8 bytes of one UTF-16 unit at most; no tokenizer makes more tokens than there are bytes. */
const BYTES_PER_UNIT_MAX = 3;
/** An old tool result is first cut to this many tokens, before anything is left out. */
const OLD_RESULT_TOKENS = 256;
/** The newest results are cut last, and to no less. */
const RESULT_TOKENS_MIN = 64;
/** Of the room: how far the cut moves at once. */
const CUT_STEP = 0.25;
const PASSAGE_PRIORITY = 50;
const FACT_PRIORITY = 55;

export interface LeftOut {
  /** A segment's kind, `passages` or `facts`. */
  kind: string;
  count: number;
  tokens: number;
}
export interface PackReport {
  /** What there was room for, and what the packed request takes. */
  roomTokens: number;
  inputTokens: number;
  leftOut: LeftOut[];
  /** Shortened; `tokens`: what was cut. */
  shrunk: LeftOut[];
}
export type Packed =
  | { fits: true; request: ChatRequest; report: PackReport | undefined }
  /** What has to stay takes this much. */
  | { fits: false; neededTokens: number };

/** Without a tokenizer: true when it fits for sure. */
export function surelyFits(request: ChatRequest, roomTokens: number): boolean {
  let units = toolsText(request).length;
  let messages = request.messages.length;
  for (const message of request.messages) {
    units += message.content?.length ?? 0;
    if (message.role === 'assistant' && message.toolCalls) units += JSON.stringify(message.toolCalls).length;
  }
  for (const passage of request.passages) units += passage.text.length + passage.title.length + 32;
  for (const fact of request.facts) units += fact.length + 8;
  messages += request.passages.length;
  return units * BYTES_PER_UNIT_MAX + messages * MESSAGE_TOKENS + REQUEST_TOKENS <= roomTokens;
}

/** `report` undefined: nothing had to be done. */
export function pack(request: ChatRequest, roomTokens: number, count: CountTokens): Packed {
  const work = new Packing(request, roomTokens, count);
  if (work.fits()) return { fits: true, request, report: undefined };
  work.shrinkOldResults();
  work.leaveOut();
  work.shrinkNewestResults();
  if (!work.fits()) return { fits: false, neededTokens: work.total };
  return { fits: true, request: work.result(), report: work.report() };
}

/** Everything that the request takes, by this tokenizer. */
export function countRequest(request: ChatRequest, count: CountTokens): number {
  return new Packing(request, Number.POSITIVE_INFINITY, count).total;
}

export function messageTokens(message: ChatMessage, count: CountTokens): number {
  const calls = message.role === 'assistant' && message.toolCalls ? JSON.stringify(message.toolCalls) : '';
  return MESSAGE_TOKENS + count(message.content ?? '') + (calls ? count(calls) : 0);
}

function toolsText(request: ChatRequest): string {
  const schema = request.responseFormat.type === 'json_schema' ? JSON.stringify(request.responseFormat.schema) : '';
  return request.tools.length ? JSON.stringify(request.tools) + schema : schema;
}

class Packing {
  total: number;
  readonly #request: ChatRequest;
  readonly #room: number;
  readonly #count: CountTokens;
  readonly #units: Unit[];
  readonly #messages: ChatMessage[];
  readonly #tokens: number[];
  readonly #passageTokens: number[];
  readonly #factTokens: number[];
  readonly #dropped = new Set<Unit>();
  readonly #leftOut = new Map<string, LeftOut>();
  readonly #shrunk = new Map<string, LeftOut>();

  constructor(request: ChatRequest, room: number, count: CountTokens) {
    this.#request = request;
    this.#room = room;
    this.#count = count;
    this.#units = unitsOf(request);
    this.#messages = [...request.messages];
    this.#tokens = this.#messages.map((message) => messageTokens(message, count));
    this.#passageTokens = request.passages.map(
      ({ title, section, text }) => count(`${title}${section ?? ''}${text}`) + 8,
    );
    this.#factTokens = request.facts.map((fact) => count(fact) + 2);
    const tools = toolsText(request);
    this.total =
      REQUEST_TOKENS +
      (tools ? count(tools) : 0) +
      add(this.#tokens) +
      add(this.#passageTokens) +
      add(this.#factTokens);
  }

  fits(): boolean {
    return this.total <= this.#room;
  }

  /** Results that the model has already acted on, oldest first. */
  shrinkOldResults(): void {
    const newest = this.#units.findLast((unit) => unit.exchange);
    for (const unit of this.#units) {
      if (this.fits()) return;
      if (unit === newest || unit.fixed) continue;
      this.#shrinkResults(unit, () => OLD_RESULT_TOKENS);
    }
  }

  /** The least important first, the oldest first among equals, until it fits. */
  leaveOut(): void {
    const levels = new Set(this.#units.filter(({ fixed }) => !fixed).map(({ priority }) => priority));
    levels.add(PASSAGE_PRIORITY).add(FACT_PRIORITY);
    for (const level of [...levels].sort((a, b) => a - b)) {
      if (this.fits()) return;
      this.#dropUnits(this.#units.filter((unit) => !unit.fixed && unit.priority === level));
      if (level === PASSAGE_PRIORITY) this.#dropLast('passages', this.#passageTokens);
      if (level === FACT_PRIORITY) this.#dropLast('facts', this.#factTokens);
    }
  }

  shrinkNewestResults(): void {
    const kept = this.#units.filter((unit) => !this.#dropped.has(unit));
    for (const unit of kept) {
      if (this.fits()) return;
      this.#shrinkResults(unit, (tokens) => Math.max(RESULT_TOKENS_MIN, tokens - (this.total - this.#room)));
    }
  }

  /** To the next step behind what has to go: the cut then stays where it is while the conversation grows. */
  #dropUnits(units: Unit[]): void {
    const step = this.#room * CUT_STEP;
    const goal = Math.ceil((this.total - this.#room) / step) * step;
    let gone = 0;
    for (const unit of units) {
      if (gone >= goal && this.fits()) return;
      const tokens = add(this.#tokens.slice(unit.from, unit.to));
      if (!this.#leftOut.has(unit.kind)) this.total += messageTokens(gapNote(unit.kind), this.#count);
      this.#dropped.add(unit);
      this.total -= tokens;
      gone += tokens;
      note(this.#leftOut, unit.kind, unit.exchange || unit.to - unit.from === 1 ? 1 : unit.to - unit.from, tokens);
    }
  }

  #dropLast(kind: string, tokens: number[]): void {
    while (!this.fits() && tokens.length > 0) {
      const last = tokens.pop()!;
      this.total -= last;
      note(this.#leftOut, kind, 1, last);
    }
  }

  #shrinkResults(unit: Unit, wanted: (tokens: number) => number): void {
    for (let i = unit.from; i < unit.to; i++) {
      const message = this.#messages[i]!;
      if (message.role !== 'tool' || this.fits()) continue;
      const before = this.#tokens[i]!;
      const target = wanted(before);
      if (before - MESSAGE_TOKENS <= target) continue;
      const shorter = { ...message, content: shrinkText(message.content, target, this.#count) };
      const after = messageTokens(shorter, this.#count);
      if (after >= before) continue;
      this.#messages[i] = shorter;
      this.#tokens[i] = after;
      this.total -= before - after;
      note(this.#shrunk, unit.kind, 1, before - after);
    }
  }

  result(): ChatRequest {
    const messages: ChatMessage[] = [];
    const noted = new Set<string>();
    for (const unit of this.#units) {
      if (!this.#dropped.has(unit)) messages.push(...this.#messages.slice(unit.from, unit.to));
      else if (!noted.has(unit.kind)) messages.push(gapNote(unit.kind));
      if (this.#dropped.has(unit)) noted.add(unit.kind);
    }
    const { segments: _segments, ...rest } = this.#request;
    return {
      ...rest,
      messages,
      passages: this.#request.passages.slice(0, this.#passageTokens.length),
      facts: this.#request.facts.slice(0, this.#factTokens.length),
    };
  }

  report(): PackReport {
    return {
      roomTokens: this.#room,
      inputTokens: this.total,
      leftOut: [...this.#leftOut.values()],
      shrunk: [...this.#shrunk.values()],
    };
  }
}

/** Without a number: it would change, and the prefix with it. */
function gapNote(kind: string): ChatMessage {
  const what =
    kind === 'thread' || kind === 'earlier' ? 'earlier turns of this work' : 'earlier turns of this conversation';
  return { role: 'assistant', content: `(Some ${what} are left out here.)` };
}

function note(list: Map<string, LeftOut>, kind: string, count: number, tokens: number): void {
  const known = list.get(kind) ?? { kind, count: 0, tokens: 0 };
  list.set(kind, { kind, count: known.count + count, tokens: known.tokens + tokens });
}

function add(values: readonly number[]): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
