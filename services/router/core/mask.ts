/**
 * Personal data out of a request and back into its answer. Each value has one placeholder (`<EMAIL_1>`) wherever it
 * stands, numbered as they first come up, so that the same conversation is masked the same way each time. Secrets go and
 * do not come back. Invariant: no placeholder is one that a text of the request holds already.
 */
import type { ChatMessage, ChatRequest, ToolCall } from '@tutti/contracts';
import { type FindRules, findSensitive, mayHoldSecret, namesSaidIn } from './pii.ts';

const PLACEHOLDER = /<([A-Z][A-Z0-9_]*)_(\d{1,6})>/g;
const ANY_PLACEHOLDER = /<\s?([A-Za-z][A-Za-z0-9_]*_\d{1,6})\s?>/g;
/** The beginning of a placeholder that may go on in the next piece. */
const OPEN_END = /<\s?[A-Za-z0-9_]{0,48}\s?$/;
const SECRET = '<SECRET>';
const NAME_PART_MIN = 3;

export interface Masked {
  request: ChatRequest;
  /** How many values of each word were replaced; empty: nothing was. */
  counts: Record<string, number>;
  restore: Restore;
}

export interface Restore {
  text(text: string): string;
  /** Every text within a value. */
  value<T>(value: T): T;
  /** For text that comes in pieces: a placeholder that is cut in two is put back together. */
  stream(take: (text: string) => void): { push(text: string): void; end(): void };
}

export function maskRequest(request: ChatRequest, rules: FindRules): Masked {
  const texts = [...textsOf(request)];
  const secretsOnly = rules.kinds.size === 0 && rules.patterns.length === 0;
  if (secretsOnly && !texts.some(mayHoldSecret)) return { request, counts: {}, restore: restoreFrom(new Map()) };
  const names = rules.kinds.has('name') ? withParts([...rules.names, ...texts.flatMap(namesSaidIn)]) : [];
  const masking = new Masking({ ...rules, names }, texts);
  const masked: ChatRequest = {
    ...request,
    messages: request.messages.map((message) => masking.message(message)),
    passages: request.passages.map((passage) => ({
      ...passage,
      title: masking.text(passage.title),
      text: masking.text(passage.text),
    })),
    facts: request.facts.map((fact) => masking.text(fact)),
  };
  return { request: masked, counts: masking.counts(), restore: masking.restore() };
}

class Masking {
  readonly #rules: FindRules;
  readonly #placeholders = new Map<string, string>();
  readonly #values = new Map<string, string>();
  readonly #numbers = new Map<string, number>();
  readonly #counts: Record<string, number> = {};

  constructor(rules: FindRules, texts: readonly string[]) {
    this.#rules = rules;
    for (const text of texts)
      for (const [, word, number] of text.matchAll(PLACEHOLDER))
        this.#numbers.set(word!, Math.max(this.#numbers.get(word!) ?? 0, Number(number)));
  }

  text(text: string): string {
    const findings = findSensitive(text, this.#rules);
    if (findings.length === 0) return text;
    let out = '';
    let at = 0;
    for (const { start, end, word, secret } of findings) {
      out += text.slice(at, start) + (secret ? this.#secret() : this.#placeholder(word, text.slice(start, end)));
      at = end;
    }
    return out + text.slice(at);
  }

  message(message: ChatMessage): ChatMessage {
    if (message.role !== 'assistant') return { ...message, content: this.text(message.content) };
    return {
      ...message,
      content: message.content === null ? null : this.text(message.content),
      ...(message.toolCalls ? { toolCalls: message.toolCalls.map((call) => this.#call(call)) } : {}),
    };
  }

  counts(): Record<string, number> {
    return this.#counts;
  }

  restore(): Restore {
    return restoreFrom(this.#values);
  }

  #call(call: ToolCall): ToolCall {
    return { ...call, arguments: mapTexts(call.arguments, (text) => this.text(text)) };
  }

  #secret(): string {
    this.#counts.SECRET = (this.#counts.SECRET ?? 0) + 1;
    return SECRET;
  }

  #placeholder(word: string, value: string): string {
    const key = `${word}\n${value}`;
    const known = this.#placeholders.get(key);
    if (known) return known;
    const number = (this.#numbers.get(word) ?? 0) + 1;
    this.#numbers.set(word, number);
    const placeholder = `<${word}_${number}>`;
    this.#placeholders.set(key, placeholder);
    this.#values.set(`${word}_${number}`, value);
    this.#counts[word] = (this.#counts[word] ?? 0) + 1;
    return placeholder;
  }
}

function restoreFrom(values: ReadonlyMap<string, string>): Restore {
  const text = (masked: string) =>
    values.size === 0
      ? masked
      : masked.replace(ANY_PLACEHOLDER, (whole, name: string) => values.get(name.toUpperCase()) ?? whole);
  return {
    text,
    value: (value) => (values.size === 0 ? value : mapTexts(value, text)),
    stream(take) {
      let held = '';
      return {
        push(piece) {
          held += piece;
          const open = values.size === 0 ? -1 : held.search(OPEN_END);
          const ready = open < 0 ? held : held.slice(0, open);
          held = open < 0 ? '' : held.slice(open);
          if (ready) take(text(ready));
        },
        end() {
          if (held) take(text(held));
          held = '';
        },
      };
    },
  };
}

function* textsOf(request: ChatRequest): Iterable<string> {
  for (const message of request.messages) {
    if (message.content) yield message.content;
    if (message.role === 'assistant' && message.toolCalls)
      yield JSON.stringify(message.toolCalls.map((c) => c.arguments));
  }
  for (const { title, text } of request.passages) yield `${title}\n${text}`;
  yield* request.facts;
}

/** Longest first; a whole name, and each of its parts for where it stands alone. */
function withParts(names: readonly string[]): string[] {
  const all = names.flatMap((name) => [name, ...name.split(/\s+/).filter((part) => part.length >= NAME_PART_MIN)]);
  return [...new Set(all.filter((name) => name.length >= NAME_PART_MIN))].sort((a, b) => b.length - a.length);
}

function mapTexts<T>(value: T, change: (text: string) => string): T {
  if (typeof value === 'string') return change(value) as T;
  if (Array.isArray(value)) return value.map((item) => mapTexts(item, change)) as T;
  if (value !== null && typeof value === 'object')
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mapTexts(item, change)])) as T;
  return value;
}
