/**
 * Data as plain words: one record as a phrase, a list as bullets, a tool's act as a sentence. Owns what is worth saying
 * of a record and how numbers, money and moments read; no raw JSON leaves here.
 */
import { sayMoment } from './calendar-math.ts';
import { scalarsOf } from './choose.ts';
import { CURRENCY_CODES, FIELD_GROUPS } from './lexicon.ts';
import { isObject } from './schema.ts';
import type { Tool } from './toolbox.ts';
import { capitalize, normalizeKey, splitIdentifier } from './words.ts';

const FIELDS_MAX = 8;
const LIST_ROWS_MAX = 6;
const VALUE_LENGTH_MAX = 400;
const IRREGULAR: Record<string, string> = {
  send: 'sent',
  buy: 'bought',
  pay: 'paid',
  make: 'made',
  hold: 'held',
  put: 'put',
  set: 'set',
  cancel: 'cancelled',
  withdraw: 'withdrew',
  get: 'got',
  write: 'wrote',
  run: 'ran',
  shut: 'shut',
  stop: 'stopped',
  submit: 'submitted',
  ship: 'shipped',
  drop: 'dropped',
  sign: 'signed',
  refund: 'refunded',
  find: 'found',
  transfer: 'transferred',
  begin: 'began',
  ban: 'banned',
  swap: 'swapped',
  log: 'logged',
  tell: 'told',
  '': 'did',
};

export function pastTense(verb: string): string {
  if (Object.hasOwn(IRREGULAR, verb)) return IRREGULAR[verb]!;
  if (verb.endsWith('e')) return `${verb}d`;
  if (/[^aeiou]y$/.test(verb)) return `${verb.slice(0, -1)}ied`;
  return `${verb}ed`;
}

/** "Booked the order", from `createOrder`. */
export const actOf = (tool: Tool): string => {
  const nouns = tool.nouns.filter((noun) => !/^(?:controller|endpoint|api)$/.test(noun)).join(' ');
  return tool.verb ? `${pastTense(tool.verb)}${nouns ? ` the ${nouns}` : ''}` : `did ${nouns || tool.name}`;
};
export const infinitiveOf = (tool: Tool): string =>
  [tool.verb || 'use', tool.nouns.length ? `the ${tool.nouns.join(' ')}` : tool.name].join(' ');

/** `bookingId` → "booking id", `priceEUR` → "price EUR". */
export const sayKey = (key: string): string =>
  splitIdentifier(key)
    .map((word) => (CURRENCY_CODES.has(word.toUpperCase()) ? word.toUpperCase() : word))
    .join(' ');

const grouped = (value: number): string =>
  Math.abs(value) >= 10_000 || (Math.abs(value) >= 1_000 && Number.isInteger(value))
    ? value.toLocaleString('en-US', { maximumFractionDigits: 2 })
    : String(Math.round(value * 1e6) / 1e6);

export function sayValue(key: string, value: unknown, currency: string | null): string {
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value === 'number') {
    const words = splitIdentifier(key);
    const money =
      words.some((word) => FIELD_GROUPS.price!.has(word)) &&
      !words.some((word) => /count|rating|percent|tax_?rate/.test(word));
    return `${/year|id|number|code/i.test(key) ? String(value) : grouped(value)}${money && currency && !words.some((word) => CURRENCY_CODES.has(word.toUpperCase())) ? ` ${currency}` : ''}`;
  }
  const text = sayMoment(String(value)).replace(/\s+/g, ' ');
  return text.length > VALUE_LENGTH_MAX ? `${text.slice(0, VALUE_LENGTH_MAX)}…` : text;
}

const RANKS: readonly [RegExp, number][] = [
  [/^(?:.*(?:title|fullname|name)|subject|summary|headline)$/, 0],
  [/^(?:.*reference|confirmation.*|.*number|tracking.*)$/, 1],
  [/.*id$/, 2],
  [/status|state|result/, 3],
  [/price|total|cost|fare|amount|rate|balance/, 4],
  [/date|time|start|end|at$|depart|arriv|due|expires/, 5],
  [/quantity|count|stock|available/, 6],
  [/^(?:url|link|image|href|self|etag|version|createdat|updatedat|type|object|metadata.*)$/, 9],
];
const rankOf = (key: string): number => RANKS.find(([pattern]) => pattern.test(normalizeKey(key)))?.[1] ?? 7;

export const currencyIn = (row: Record<string, unknown>): string | null => {
  const hit = scalarsOf(row).find(
    ([key, value]) => normalizeKey(key).endsWith('currency') && typeof value === 'string',
  );
  return hit ? String(hit[1]).toUpperCase() : null;
};

/** The telling fields of a record, most telling first. `first` moves keys that the question names to the front. */
export function sayRecord(
  row: Record<string, unknown>,
  options: { first?: (key: string) => boolean; fieldsMax?: number; lead?: boolean } = {},
): string {
  const currency = currencyIn(row);
  const entries = scalarsOf(row)
    .filter(
      ([key, value]) =>
        value !== null &&
        value !== undefined &&
        value !== '' &&
        !(
          normalizeKey(key).endsWith('currency') &&
          Object.keys(row).some((other) => splitIdentifier(other).some((word) => FIELD_GROUPS.price!.has(word)))
        ),
    )
    .map(([key, value], order) => ({ key, value, order, rank: options.first?.(key) ? -1 : rankOf(key) }))
    .sort((left, right) => left.rank - right.rank || left.order - right.order)
    .filter((one, index) => one.rank < 9 || index < 3)
    .slice(0, options.fieldsMax ?? FIELDS_MAX);
  const [head, ...rest] = entries;
  if (!head) return '';
  const part = (one: { key: string; value: unknown }): string =>
    `${sayKey(one.key)} ${sayValue(one.key, one.value, currency)}`;
  const title = options.lead !== false && head.rank === 0 ? sayValue(head.key, head.value, currency) : part(head);
  return [title, ...rest.map(part)].join(', ');
}

export function sayList(rows: readonly unknown[], options: { first?: (key: string) => boolean } = {}): string {
  const lines = rows
    .slice(0, LIST_ROWS_MAX)
    .map((row) => `- ${isObject(row) ? sayRecord(row, { ...options, fieldsMax: 6 }) : sayValue('', row, null)}`);
  if (rows.length > LIST_ROWS_MAX) lines.push(`- and ${rows.length - LIST_ROWS_MAX} more`);
  return lines.join('\n');
}

export const sayDatum = (data: unknown, options: { first?: (key: string) => boolean } = {}): string => {
  if (Array.isArray(data)) return sayList(data, options);
  if (isObject(data)) {
    const lists = Object.entries(data).filter(
      (entry): entry is [string, unknown[]] => Array.isArray(entry[1]) && entry[1].some(isObject),
    );
    const plain = Object.fromEntries(Object.entries(data).filter(([key]) => !lists.some(([name]) => name === key)));
    const head = sayRecord(plain, options);
    return [
      head,
      ...lists.filter(([, rows]) => rows.length > 0).map(([key, rows]) => `${sayKey(key)}:\n${sayList(rows, options)}`),
    ]
      .filter(Boolean)
      .join('\n');
  }
  return sayValue('', data, null);
};

export const sentence = (text: string): string => {
  const trimmed = capitalize(text.trim());
  return /[.!?:…]$/.test(trimmed) ? trimmed : `${trimmed}.`;
};
export const joinWords = (words: readonly string[], last = 'and'): string =>
  words.length <= 1 ? (words[0] ?? '') : `${words.slice(0, -1).join(', ')} ${last} ${words.at(-1)}`;
