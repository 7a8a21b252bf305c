/**
 * Records as phrases and lists as bullets, a tool's act as words, sentences put together. Owns what a row of a list shows;
 * no raw JSON leaves here.
 */
import { type Card, cardOf, leavesIn } from './card.ts';
import { sayValue } from './say-value.ts';
import { isObject } from './schema.ts';
import type { Tool } from './toolbox.ts';
import { capitalize } from './words.ts';

export { sayKey, sayValue } from './say-value.ts';

const LIST_ROWS_MAX = 5;
const ROW_FACTS_MAX = 3;
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

/** "the order", from `createOrder`; '' where its name has no noun. */
export const objectOf = (tool: Tool): string => {
  const nouns = tool.nouns.filter((noun) => !/^(?:controller|endpoint|api)$/.test(noun)).join(' ');
  return nouns ? `the ${nouns}` : '';
};
export const actOf = (tool: Tool): string =>
  tool.verb
    ? [pastTense(tool.verb), objectOf(tool)].filter(Boolean).join(' ')
    : `did ${objectOf(tool).slice(4) || tool.name}`;
export const infinitiveOf = (tool: Tool): string => [tool.verb || 'use', objectOf(tool) || tool.name].join(' ');

export interface RowOptions {
  readonly first?: (key: string) => boolean;
  readonly known?: readonly unknown[];
  readonly fieldsMax?: number;
}

/** What a row is called: its name, whose it is, or the handle that it goes by. */
const nameOf = (card: Card): string => card.title ?? card.who ?? card.reference?.value ?? card.ids[0]?.value ?? '';

interface Phrase {
  readonly text: string;
  /** What a question may call it. */
  readonly key: string;
}

const phrasesOf = (card: Card): Phrase[] => {
  const name = nameOf(card);
  const slots: [string | null | undefined, string][] = [
    ...card.money.map((text): [string, string] => [text, `price_cost_total_amount_${text}`]),
    [card.reference?.value, 'reference_number'],
    [card.who, 'name_person'],
    [card.way, 'route'],
    [card.when, 'date_time_when'],
    [card.status, 'status_state'],
    // Names and figures are values: only what is left can be what a question calls the fact.
    ...card.rest.map((text): [string, string] => [text, text.replace(/\p{Lu}[\p{L}]*|\d\S*/gu, ' ')]),
  ];
  return slots.flatMap(([text, key]) => (text && text !== name ? [{ text, key }] : []));
};

const asked = (phrases: readonly Phrase[], options: RowOptions): string[] => {
  const first = options.first ?? (() => false);
  const wanted = phrases.filter((one) => first(one.key));
  return [...wanted, ...phrases.filter((one) => !wanted.includes(one))].map((one) => one.text);
};

/** Facts of each row, those in which the rows differ first. Facts that all rows share tell nothing apart and stay out. */
function rowsSaid(
  rows: readonly Record<string, unknown>[],
  options: RowOptions,
): { name: string; facts: string[]; id: string }[] {
  const cards = rows.map((row) => cardOf(leavesIn(row), options));
  const phrases = cards.map(phrasesOf);
  const shared = (phrase: Phrase): boolean =>
    rows.length > 1 && phrases.every((own) => own.some((one) => one.text === phrase.text));
  const telling = phrases.some((own) => own.some((phrase) => !shared(phrase)));
  return cards.map((card, index) => ({
    name: nameOf(options.known ? cardOf(leavesIn(rows[index]!)) : card),
    id: card.ids[0]?.value ?? '',
    facts: asked(
      phrases[index]!.filter((phrase) => !telling || !shared(phrase)),
      options,
    ).slice(0, options.fieldsMax ?? ROW_FACTS_MAX),
  }));
}

const joinRow = (name: string, facts: readonly string[]): string => [name, facts.join(', ')].filter(Boolean).join(': ');

/** One record on one line: "Maria Lopez (maria@example.com)". */
export function sayRecord(row: Record<string, unknown>, options: RowOptions = {}): string {
  const said = rowsSaid([row], {
    ...options,
    fieldsMax: Math.max(1, (options.fieldsMax ?? ROW_FACTS_MAX + 1) - 1),
  })[0]!;
  return said.name && said.facts.length > 0
    ? `${said.name} (${said.facts.join(', ')})`
    : said.name || said.facts.join(', ');
}

export function sayList(rows: readonly unknown[], options: RowOptions = {}): string {
  const shown = rows.slice(0, LIST_ROWS_MAX);
  const said = rowsSaid(shown.filter(isObject), options).map((one) => ({ ...one, text: joinRow(one.name, one.facts) }));
  // Rows that read alike are told apart by their ids.
  const lines = said.map((one) =>
    said.filter((other) => other.text === one.text).length > 1 && one.id ? `${one.text} (id ${one.id})` : one.text,
  );
  const plain = shown.filter((row) => !isObject(row)).map((row) => sayValue('', row, null));
  const more = rows.length > LIST_ROWS_MAX ? [`and ${rows.length - LIST_ROWS_MAX} more`] : [];
  return [...new Set([...lines, ...plain].filter(Boolean)), ...more].map((line) => `- ${line}`).join('\n');
}

/** All that one result without a list says, its handle included only where nothing else names it. */
export function sayDatum(data: unknown, options: RowOptions = {}): string {
  if (Array.isArray(data)) return sayList(data, options);
  if (!isObject(data)) return sayValue('', data, null);
  const lists = Object.entries(data).filter(
    (entry): entry is [string, unknown[]] => Array.isArray(entry[1]) && entry[1].some(isObject),
  );
  const plain = Object.fromEntries(Object.entries(data).filter(([key]) => !lists.some(([name]) => name === key)));
  const card = cardOf(leavesIn(plain), { ...options, owned: false });
  const name = card.title ?? card.who ?? card.reference?.value ?? '';
  const facts = asked(
    phrasesOf({ ...card, ids: [] }).filter((one) => one.text !== name),
    options,
  );
  const head = joinRow(name, facts) || (card.ids[0] ? `${card.ids[0].label} ${card.ids[0].value}` : '');
  return [head, ...lists.map(([, rows]) => sayList(rows, options))].filter(Boolean).join('\n');
}

export const sentence = (text: string): string => {
  const trimmed = capitalize(text.trim());
  return /[.!?:…]$/.test(trimmed) ? trimmed : `${trimmed}.`;
};
export const joinWords = (words: readonly string[], last = 'and'): string =>
  words.length <= 1 ? (words[0] ?? '') : `${words.slice(0, -1).join(', ')} ${last} ${words.at(-1)}`;
