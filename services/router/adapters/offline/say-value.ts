/**
 * One value with its key as plain words: money with its currency once, counts with their noun, yes/no as a word. Owns how
 * numbers read; what of a record is worth saying is decided in `card.ts`.
 */
import { CURRENCY_CODES, FIELD_GROUPS } from './lexicon.ts';
import { readMoment, sayMomentShort } from './say-time.ts';
import { splitIdentifier } from './words.ts';

const VALUE_LENGTH_MAX = 400;
const MINUTES_PER_HOUR = 60;
const SECONDS_PER_MINUTE = 60;
const PLAIN_MONEY = new Set(
  'price total amount cost fare value sum charge charged max min maximum minimum limit up to upper lower'.split(' '),
);
const MONEY_WORDS = new Set(
  'refund refunded balance deposit tax taxes discount payment salary credit fine bonus'.split(' '),
);
const NO_MONEY = /^(?:count|rating|percent|percentage|ratio|taxrate|number)$/;
const PLAIN_RESULT = new Set(['value', 'result', 'answer', 'output']);

export const isCode = (word: string): boolean => CURRENCY_CODES.has(word.toUpperCase());

/** `bookingId` → "booking id", `priceEUR` → "price EUR". */
export const sayKey = (key: string): string =>
  splitIdentifier(key)
    .map((word) => (isCode(word) ? word.toUpperCase() : word))
    .join(' ');

export const sayNumber = (value: number): string =>
  Math.abs(value) >= 1_000
    ? value.toLocaleString('en-US', { maximumFractionDigits: 2 })
    : String(Math.round(value * 1e6) / 1e6);

export const sayAmount = (value: number, currency: string): string => {
  const number = Number.isInteger(value)
    ? value.toLocaleString('en-US')
    : value.toLocaleString('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  return currency ? `${currency} ${number}` : number;
};

export const isMoneyKey = (words: readonly string[]): boolean =>
  words.some((word) => FIELD_GROUPS.price!.has(word) || MONEY_WORDS.has(word)) &&
  !words.some((word) => NO_MONEY.test(word));

/** "EUR 120 per night", "refund EUR 900"; without a currency the key says what the number is. */
export function sayMoney(words: readonly string[], value: number, currency: string | null): string {
  const code = words.find(isCode)?.toUpperCase() ?? currency ?? '';
  if (!code) return `${words.join(' ')} ${sayNumber(value)}`;
  const at = words.indexOf('per');
  const tail =
    at >= 0
      ? ` ${words
          .slice(at)
          .filter((word) => !isCode(word))
          .join(' ')}`
      : '';
  const label = (at >= 0 ? words.slice(0, at) : words)
    .filter((word) => !PLAIN_MONEY.has(word) && !isCode(word))
    .join(' ');
  return `${label ? `${label} ` : ''}${sayAmount(value, code)}${tail}`;
}

const isPlural = (word: string): boolean => /[^su]s$/.test(word) && word.length > 3;
export const sayCount = (value: number, plural: string): string =>
  value === 0 ? `no ${plural}` : `${sayNumber(value)} ${value === 1 ? oneOf(plural) : plural}`;
const oneOf = (word: string): string =>
  word.endsWith('ies')
    ? `${word.slice(0, -3)}y`
    : /(?:ss|x|ch|sh|z)es$/.test(word)
      ? word.slice(0, -2)
      : word.slice(0, -1);

export const pluralOf = (noun: string, count: number): string =>
  count === 1 || /s$/.test(noun)
    ? noun
    : /[^aeiou]y$/.test(noun)
      ? `${noun.slice(0, -1)}ies`
      : /(?:x|ch|sh)$/.test(noun)
        ? `${noun}es`
        : `${noun}s`;

/** "850 minutes" → "14 h 10 min"; null where the key names no small unit. */
function sayDuration(words: readonly string[], value: number): string | null {
  const unit = words.at(-1);
  if (words.length < 2 || value <= 0) return null;
  const minutes =
    unit === 'minutes' || unit === 'mins' ? value : unit === 'seconds' ? value / SECONDS_PER_MINUTE : null;
  if (minutes === null || minutes < MINUTES_PER_HOUR || !Number.isInteger(minutes)) return null;
  const rest = minutes % MINUTES_PER_HOUR;
  return `${words.slice(0, -1).join(' ')} ${Math.floor(minutes / MINUTES_PER_HOUR)} h${rest ? ` ${rest} min` : ''}`;
}

/** "8 replicas", "11 days remaining", "rating 4.2", "duration 14 h 10 min". */
export function sayNumberFact(words: readonly string[], value: number): string {
  const label = words.join(' ');
  if (PLAIN_RESULT.has(label)) return sayNumber(value);
  const duration = sayDuration(words, value);
  if (duration) return duration;
  if (/\b(?:year|id|number|code|revision|version)\b/.test(label)) return `${label} ${String(value)}`;
  if (
    Number.isInteger(value) &&
    value >= 0 &&
    isPlural(words[0] ?? '') &&
    (words.length === 1 || /(?:ing|ed|left)$/.test(words.at(-1)!))
  )
    return `${sayCount(value, words[0]!)}${words.length > 1 ? ` ${words.slice(1).join(' ')}` : ''}`;
  return `${label} ${sayNumber(value)}`;
}

/** "breakfast included", "not refundable". */
export function sayFlag(words: readonly string[], value: boolean): string {
  const plain = words.filter((word, index) => !(index === 0 && /^(?:is|has|was|are|can)$/.test(word)));
  const told = plain.length > 0 ? plain : words;
  return value ? told.join(' ') : [...told.slice(0, -1), 'not', told.at(-1)].join(' ');
}

export function clip(text: string, lengthMax = VALUE_LENGTH_MAX): string {
  const flat = text.replace(/\s+/g, ' ').trim();
  return flat.length > lengthMax ? `${flat.slice(0, lengthMax)}…` : flat;
}

/** A lone value, without its key. */
export function sayValue(key: string, value: unknown, currency: string | null): string {
  const words = splitIdentifier(key);
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value === 'number') {
    if (isMoneyKey(words) && currency) return sayAmount(value, currency);
    return /year|id|number|code/i.test(key) ? String(value) : sayNumber(value);
  }
  const moment = readMoment(value);
  return moment ? sayMomentShort(moment) : clip(String(value));
}
