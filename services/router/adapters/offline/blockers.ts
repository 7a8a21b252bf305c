/**
 * What in a result stands in the way of an effect: a check that says no, a conflict, too little left, an error. Owns
 * the reading of flags by their names; a list to choose from does not block, its rows are filtered instead.
 */
import { sayMoment } from './calendar-math.ts';
import { isMinorUnit } from './fit-number.ts';
import { GO_FLAGS, STOP_FLAGS } from './lexicon.ts';
import type { Observation } from './results.ts';
import { mainList } from './results.ts';
import { isObject } from './schema.ts';
import type { Tool } from './toolbox.ts';
import { humanize, singular, splitIdentifier } from './words.ts';

export interface Blocker {
  readonly observation: Observation;
  readonly text: string;
  readonly details: readonly string[];
}

/** What the effect asks for, so that numbers can be compared. */
export interface Wanted {
  readonly quantity: number | null;
  readonly amount: number | null;
  readonly from: string | null;
  readonly to: string | null;
}

const DETAILS_MAX = 5;
const isGo = (words: readonly string[]): boolean =>
  GO_FLAGS.has(words.join('')) ||
  (words.length <= 3 && words.some((word) => GO_FLAGS.has(word)) && !words.some((word) => STOP_FLAGS.has(word)));
const isStop = (words: readonly string[]): boolean =>
  STOP_FLAGS.has(words.join('')) || words.some((word) => STOP_FLAGS.has(word));

/** One line about a record: its title or name first, then its times. */
export function describeRow(row: Record<string, unknown>): string {
  const text = (keys: RegExp): string | null => {
    const hit = Object.entries(row).find(
      ([key, value]) => keys.test(key) && (typeof value === 'string' || typeof value === 'number') && value !== '',
    );
    return hit ? String(hit[1]) : null;
  };
  const moment = (keys: RegExp): string | null => {
    const hit = Object.entries(row).find(([key]) => keys.test(key))?.[1];
    const value = isObject(hit) ? (hit.dateTime ?? hit.date) : hit;
    return typeof value === 'string' ? sayMoment(value) : null;
  };
  const title = text(/^(?:title|summary|name|subject|label|message|reason|description|event)$/i);
  const [from, to] = [moment(/^(?:start|from|begin|starts_?at|date)$/i), moment(/^(?:end|to|until|ends_?at)$/i)];
  const when = from && to ? `${from} to ${to}` : (from ?? to);
  if (title || when) return [title ? `"${title}"` : null, when ? `(${when})` : null].filter(Boolean).join(' ');
  return Object.entries(row)
    .filter(([, value]) => typeof value !== 'object')
    .map(([key, value]) => `${humanize(key)} ${String(value)}`)
    .slice(0, 4)
    .join(', ');
}

const rowsText = (rows: readonly unknown[]): string[] =>
  rows.slice(0, DETAILS_MAX).map((row) => (isObject(row) ? describeRow(row) : sayMoment(String(row))));

/** Negative outcomes in one result. `tool` is null where the tool is not known to this request. */
export function blockersIn(observation: Observation, tool: Tool | undefined, wanted: Wanted): Blocker | null {
  if (observation.isError)
    return tool?.checks || tool?.effectful
      ? { observation, text: `${humanize(observation.tool)} failed: ${shortText(observation.text)}`, details: [] }
      : null;
  const { data, text } = observation;
  const label = humanize(observation.tool);
  if (data === null) {
    const negative =
      tool?.checks &&
      /\b(?:not available|unavailable|not free|busy|conflict(?:s|ing)?|out of stock|sold out|not allowed|denied|insufficient|not eligible|false)\b/i.test(
        text,
      ) &&
      !/\bno conflicts?\b|\bnot busy\b|\bwithout conflicts?\b/i.test(text);
    return negative ? { observation, text: `${label} says: ${shortText(text)}`, details: [] } : null;
  }
  if (data === false && tool?.checks) return { observation, text: `${label}: no`, details: [] };
  const root = isObject(data) ? unwrap(data) : null;
  if (root) {
    const found = flagBlocker(observation, root, label, wanted, tool);
    if (found) return found;
  }
  const list = mainList(data);
  if (
    tool?.aboutCalendar &&
    !tool.effectful &&
    list &&
    list.length > 0 &&
    wanted.from &&
    !root?.slots &&
    !/slot|free|available/i.test(tool.name)
  ) {
    const events = list.filter((one): one is Record<string, unknown> => isObject(one) && overlapsWanted(one, wanted));
    if (events.length > 0)
      return {
        observation,
        text: events.length === 1 ? 'there is an event at that time' : `there are ${events.length} events at that time`,
        details: rowsText(events),
      };
  }
  return null;
}

const unwrap = (data: Record<string, unknown>): Record<string, unknown> => {
  const inner = Object.entries(data).filter(([key]) => /^(?:data|result|response)$/.test(key));
  return inner.length === 1 && isObject(inner[0]![1]) ? { ...data, ...inner[0]![1] } : data;
};

function flagBlocker(
  observation: Observation,
  root: Record<string, unknown>,
  label: string,
  wanted: Wanted,
  tool: Tool | undefined,
): Blocker | null {
  const lists: string[] = [];
  let reason: string | null = null;
  const because = Object.entries(root).find(
    ([key, value]) => /^(?:reason|message|explanation|detail|why)$/i.test(key) && typeof value === 'string',
  )?.[1] as string | undefined;
  for (const [key, value] of Object.entries(root)) {
    const words = splitIdentifier(key);
    if (Array.isArray(value)) {
      if (
        value.length > 0 &&
        (isStop(words) ||
          (/^errors?$|^issues?$|^problems?$/.test(words.join('')) && !tool?.nouns.includes(singular(words.join('')))))
      ) {
        reason ??= words.join('') === 'busy' ? 'busy at that time' : `${words.join(' ')} found`;
        lists.push(...rowsText(value));
      }
    } else if (value === false && isGo(words))
      reason = `not ${words.filter((word) => !/^(?:is|has|can)$/.test(word)).join(' ')}`;
    else if (value === true && isStop(words)) reason = `${words.join(' ')}: yes`;
    else if (/^error$/i.test(key) && value && typeof value !== 'number')
      reason = shortText(isObject(value) ? String(value.message ?? value.code ?? 'error') : String(value));
    else if (typeof value === 'string' && isVerdict(words, value)) reason = `${words.join(' ')}: ${value}`;
    else if (typeof value === 'number' && tool?.checks) reason ??= shortage(words, value, wanted);
  }
  if (reason === null) return null;
  return {
    observation,
    text: `${label}: ${reason}${because && !reason.includes(because) ? ` (${because})` : ''}`,
    details: lists,
  };
}

const isVerdict = (words: readonly string[], value: string): boolean =>
  /^(?:status|availability|result|decision|verdict|outcome|stock|state)$/.test(words.join('')) &&
  /^(?:unavailable|not[ _-]?available|busy|out[ _-]?of[ _-]?stock|sold[ _-]?out|denied|rejected|blocked|forbidden|ineligible|not[ _-]?allowed|conflict|insufficient|none)$/i.test(
    value,
  );

function shortage(words: readonly string[], raw: number, wanted: Wanted): string | null {
  const joined = words.join('');
  const value = isMinorUnit(words, '') ? raw / 100 : raw;
  if (
    /stock|quantity|inventory|available|remaining|left|seats|units|onhand/.test(joined) &&
    !/reserved|threshold|min|max|reorder/.test(joined)
  ) {
    if (value < (wanted.quantity ?? 1))
      return value === 0 ? 'none left' : `only ${value} left, ${wanted.quantity} wanted`;
  }
  if (
    wanted.amount !== null &&
    /balance|funds|budget|credit|limit|available|remaining/.test(joined) &&
    value < wanted.amount
  )
    return `${words.join(' ')} is ${value}, ${wanted.amount} needed`;
  return null;
}

function overlapsWanted(event: Record<string, unknown>, wanted: Wanted): boolean {
  if (/^(?:cancelled|canceled|declined|free|transparent)$/i.test(String(event.status ?? event.transparency ?? '')))
    return false;
  const at = (keys: RegExp): string | null => {
    const hit = Object.entries(event).find(([key]) => keys.test(key))?.[1];
    const value = isObject(hit) ? (hit.dateTime ?? hit.date) : hit;
    return typeof value === 'string' ? value : null;
  };
  const [from, to] = [
    at(/^(?:start|from|begin|starts?_?at|start_?time|date)$/i),
    at(/^(?:end|to|until|ends?_?at|end_?time)$/i),
  ];
  if (!from || !wanted.from) return false;
  const end = wanted.to ?? wanted.from;
  const dayOnly = wanted.from.length === 10;
  const cut = (value: string): string => (dayOnly ? value.slice(0, 10) : value);
  const instant = (value: string): number => Date.parse(value.length === 10 ? `${value}T00:00:00Z` : value);
  if (dayOnly) return cut(from) <= end.slice(0, 10) && cut(to ?? from) >= wanted.from;
  return instant(from) < instant(end) && instant(to ?? from) > instant(wanted.from);
}

const TEXT_LENGTH_MAX = 300;
export function shortText(text: string): string {
  let plain = text;
  try {
    const parsed: unknown = JSON.parse(text);
    if (isObject(parsed)) {
      const inner = isObject(parsed.error) ? parsed.error : parsed;
      plain = String(
        inner.message ??
          inner.detail ??
          inner.title ??
          inner.reason ??
          (typeof parsed.error === 'string'
            ? parsed.error
            : Object.entries(inner)
                .filter(([, value]) => typeof value !== 'object')
                .map(([key, value]) => `${humanize(key)}: ${String(value)}`)
                .join(', ')),
      );
    }
  } catch {
    // Plain text stays as it is.
  }
  plain = plain.replace(/\s+/g, ' ').trim().replace(/[.]+$/, '');
  return plain.length > TEXT_LENGTH_MAX ? `${plain.slice(0, TEXT_LENGTH_MAX)}…` : plain;
}
