/**
 * Choosing one record from a list: bounds and yes/no wishes filter, a name or ordinal in the goal points, a stated
 * preference ranks, else the cheapest (or first) of what is left. Owns the reasons that the answer gives for a choice.
 */
import type { Limit } from './constraints.ts';
import type { Goal } from './goal.ts';
import { FIELD_GROUPS, GO_FLAGS, PREFERENCES, STOP_FLAGS, STOP_WORDS } from './lexicon.ts';
import type { Mention } from './mentions.ts';
import { withoutOutcome } from './outcome.ts';
import { isObject } from './schema.ts';
import { contentStems, normalizeKey, related, splitIdentifier, stem, wordsOf } from './words.ts';

type Row = Record<string, unknown>;
export interface Rejected {
  readonly row: Row;
  readonly why: string;
}
export interface Choice {
  readonly chosen: Row | null;
  readonly total: number;
  readonly rejected: readonly Rejected[];
  readonly limits: readonly Limit[];
  /** Why this one: "cheapest", "named in the request", "first in the list". */
  readonly preference: string;
  /** Rows that fit equally well where the goal names one: only the user can tell. */
  readonly ambiguous: readonly Row[];
  /** Nothing in the goal pointed at this row rather than at the others. */
  readonly guess: boolean;
  /** Rows that would have been chosen, had a check not said no to them. */
  readonly passedOver: readonly Row[];
  /** Rows that fit as well as the chosen one by what the goal names, itself included. */
  readonly peers: readonly Row[];
}

const DEPTH_MAX = 3;

/** Scalars of a record with their key words, nested ones included. */
export function scalarsOf(row: Row, depth = 0): [string, unknown][] {
  return Object.entries(row).flatMap(([key, value]): [string, unknown][] => {
    if (isObject(value))
      return depth < DEPTH_MAX ? scalarsOf(value, depth + 1).map(([inner, one]) => [`${key} ${inner}`, one]) : [];
    if (Array.isArray(value))
      return depth < DEPTH_MAX
        ? value.filter((one) => typeof one === 'string').map((one): [string, unknown] => [key, one])
        : [];
    return [[key, value]];
  });
}

const UNITS: Record<string, number> = { h: 60, hour: 60, hours: 60, m: 1, min: 1, minutes: 1 };
function numeric(value: unknown): number | null {
  if (typeof value === 'number') return value;
  if (typeof value !== 'string') return null;
  const duration = value.match(/^P?T?(?:(\d+)\s?(?:h|hours?))\s?(?:(\d+)\s?(?:m|min)?)?$/i);
  if (duration) return Number(duration[1]) * UNITS.h! + Number(duration[2] ?? 0);
  const plain = value.replace(/[,’' ](?=\d{3})/g, '').match(/^[^\d-]{0,4}(-?\d+(?:\.\d+)?)\s*\D{0,6}$/);
  return plain ? Number(plain[1]) : null;
}

const sortable = (value: unknown): number | null => {
  if (typeof value === 'string' && /^\d{4}-\d{2}-\d{2}|^\d{2}:\d{2}/.test(value)) {
    const at = Date.parse(/^\d{2}:/.test(value) ? `1970-01-01T${value}Z` : value);
    return Number.isFinite(at) ? at : null;
  }
  return numeric(value);
};

/** The value of a field group in a record: the key whose words match most exactly. Ids and totals of other things do not count. */
export function fieldValue(row: Row, group: string, about = ''): number | null {
  const hints = new Set(contentStems(about));
  const words = FIELD_GROUPS[group] ?? new Set([group]);
  let best: { value: number; rank: number } | null = null;
  for (const [key, raw] of scalarsOf(row)) {
    const parts = splitIdentifier(key);
    const index = parts.findIndex((part) => words.has(part) || stem(part) === stem(group));
    if (index < 0 || /^(?:id|currency|code|unit|type|name|status)$/.test(parts.at(-1)!)) continue;
    const value = sortable(raw);
    if (value === null || (group !== 'time' && typeof raw === 'string' && /^\d{4}-\d{2}/.test(raw))) continue;
    // "EUR 220 a night" is about the price per night, not the total.
    const hinted = parts.some((part) => !words.has(part) && hints.has(stem(part))) ? -2 : 0;
    const rank =
      hinted +
      (parts.includes(group) ? 0 : 1) +
      (parts.includes('total') ? -0.5 : 0) +
      parts.length * 0.1 +
      index * 0.01;
    if (!best || rank < best.rank) best = { value, rank };
  }
  return best?.value ?? null;
}

const currencyOf = (row: Row): string | null => {
  const found = scalarsOf(row).find(
    ([key, value]) => normalizeKey(key).endsWith('currency') && typeof value === 'string',
  );
  return found ? String(found[1]).toUpperCase() : null;
};

function limitFailure(row: Row, limit: Limit): string | null {
  const value = fieldValue(row, limit.field, limit.sentence);
  if (value === null) return null;
  const currency = currencyOf(row);
  if (limit.currency && currency && currency !== limit.currency) return null;
  if (limit.comparator === '<=' ? value <= limit.value : value >= limit.value) return null;
  return `${limit.field} ${value} is ${limit.comparator === '<=' ? 'over' : 'under'} ${limit.value}${limit.currency ? ` ${limit.currency}` : ''}`;
}

/** A row that says of itself that it cannot be had. */
function unavailable(row: Row, quantity: number): string | null {
  for (const [key, value] of Object.entries(row)) {
    const words = splitIdentifier(key);
    const joined = words.join('');
    if (
      value === false &&
      (GO_FLAGS.has(joined) || words.some((word) => /^(?:available|stock|bookable|eligible)$/.test(word)))
    )
      return `${words.join(' ')}: no`;
    if (value === true && (STOP_FLAGS.has(joined) || /soldout|outofstock|discontinued|unavailable/.test(joined)))
      return words.join(' ');
    if (
      typeof value === 'number' &&
      /^(?:stock|inventory|instock|seatsleft|seatsavailable|availablequantity|quantityavailable|remaining)$/.test(
        joined,
      ) &&
      value < quantity
    )
      return value === 0 ? 'none left' : `only ${value} left`;
  }
  return null;
}

interface Wish {
  readonly stems: readonly string[];
  readonly no: boolean;
}

/** "direct", "nonstop", "without transfers": zero or true in the record's matching field. */
function wishFailure(row: Row, goal: Goal): string | null {
  const direct =
    /\b(?:direct|non-?stop)\b/i.test(goal.text) && !/\bnot (?:necessarily )?(?:direct|non-?stop)\b/i.test(goal.text);
  if (direct)
    for (const [key, value] of Object.entries(row)) {
      const normal = normalizeKey(key);
      if (
        /^(?:number of )?(?:stops?|stopcount|numberofstops|layovers?|transfers?|connections?|changes)$/.test(normal) &&
        (typeof value === 'number' ? value > 0 : Array.isArray(value) && value.length > 0)
      )
        return 'not direct';
      if (/^(?:is)?(?:direct|nonstop)(?:only)?$/.test(normal) && value === false) return 'not direct';
    }
  const wishes: Wish[] = [
    ...goal.text.matchAll(/\b(with|without|including|no)\s+(?:a |an |free |the )?([\p{L}-]+(?:\s[\p{L}-]+)?)/giu),
  ].map((match) => ({ stems: contentStems(match[2]!), no: /without|no/i.test(match[1]!) }));
  for (const [key, value] of Object.entries(row)) {
    if (typeof value !== 'boolean') continue;
    const words = splitIdentifier(key).map(stem);
    for (const wish of wishes)
      if (wish.stems.length > 0 && wish.stems.some((one) => words.includes(one)) && value === wish.no)
        return `${splitIdentifier(key).join(' ')}: ${value ? 'yes' : 'no'}`;
  }
  return null;
}

/** Room for "8 people" needs eight places. */
function tooSmall(row: Row, goal: Goal): string | null {
  const wanted = goal.mentions.find(
    (one) =>
      one.kind === 'number' &&
      /^(?:people|persons?|guests?|attendees|participants|seats|travell?ers|adults|pax)$/.test(one.unit),
  );
  if (wanted?.kind !== 'number') return null;
  const place = Object.entries(row).find(
    ([key, value]) =>
      /^(?:capacity|seats|max(?:imum)?(?:guests|people|occupancy|capacity)|sleeps|places)$/.test(normalizeKey(key)) &&
      typeof value === 'number',
  );
  return place && (place[1] as number) < wanted.value ? `room for ${String(place[1])} only` : null;
}

/** Parts of a date would meet numbers of records. */
const DATE_OR_TIME =
  /\b\d{4}-\d{2}-\d{2}(?:T[\d:.+-]*Z?)?|\b\d{1,2}[:.]\d{2}\b|\b\d{1,2}(?:st|nd|rd|th)?\.? (?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)\p{L}*|\b(?:19|20)\d{2}\b/giu;

const withoutQuantities = (goal: Goal): string =>
  goal.mentions
    .filter((one) => ['date', 'time', 'duration', 'money', 'percent'].includes(one.kind))
    .reduce(
      (text, one) => text.slice(0, one.start) + ' '.repeat(one.end - one.start) + text.slice(one.end),
      withoutOutcome(goal, goal.text),
    );

/** How many topic words of the goal a row's own text repeats that do not occur in every row. */
function nameScores(rows: readonly Row[], goal: Goal, subject: string | null): number[] {
  const sets = rows.map(
    (row) =>
      new Set(
        scalarsOf(row).flatMap(([key, value]) =>
          typeof value === 'string' && !/currency/i.test(key) && value.length < 200
            ? [...wordsOf(value).map(stem), value.toLowerCase()]
            : typeof value === 'number' && /id|number|code/i.test(key)
              ? [String(value)]
              : [],
        ),
      ),
  );
  const wanted = new Set(
    subject
      ? wordsOf(subject).map(stem)
      : wordsOf(withoutQuantities(goal).replace(DATE_OR_TIME, ' '))
          .filter((word) => !STOP_WORDS.has(word) && !/^\d{1,2}$/.test(word))
          .map(stem),
  );
  for (const mention of goal.mentions)
    if (
      !subject &&
      (mention.kind === 'identifier' ||
        mention.kind === 'email' ||
        mention.kind === 'quoted' ||
        mention.kind === 'name')
    )
      wanted.add(mention.text.toLowerCase());
  const common = (word: string): boolean => subject === null && rows.length > 1 && sets.every((set) => set.has(word));
  return sets.map((set) =>
    [...wanted]
      .filter((word) => set.has(word) && !common(word))
      .reduce((sum, word) => sum + (/[\d@ -]/.test(word) ? 2 : 1), 0),
  );
}

/** Wishes a person states by value ("before 10:00", "in the morning"). */
function timeFailure(row: Row, goal: Goal): string | null {
  const hour = Object.entries(row)
    .map(([key, value]) =>
      /(?:depart|start|time|begin)/i.test(key) && typeof value === 'string'
        ? value.match(/(?:T|^| )(\d{2}):\d{2}/)?.[1]
        : undefined,
    )
    .find((one) => one !== undefined);
  if (hour === undefined) return null;
  const at = Number(hour);
  if (/\bin the morning\b|\bmorning\b/i.test(goal.text) && at >= 12) return 'not in the morning';
  if (/\bafternoon\b/i.test(goal.text) && (at < 12 || at >= 18)) return 'not in the afternoon';
  if (/\bevening\b/i.test(goal.text) && at < 17) return 'not in the evening';
  return null;
}

export interface ChooseOptions {
  readonly limits: readonly Limit[];
  readonly quantity?: number;
  /** The name that the caller looks for; rows that do not carry it do not qualify. */
  readonly subject?: string | null;
  /** Whether a guess between equal rows would be acted upon. */
  readonly decisive?: boolean;
  readonly background?: Goal | null;
}

export function choose(rows: readonly Row[], goal: Goal, options: ChooseOptions): Choice {
  const rejected: Rejected[] = [];
  const usedLimits = new Set<Limit>();
  const ordinal = goal.mentions.find((one): one is Mention & { kind: 'ordinal' } => one.kind === 'ordinal');
  const about = options.background && options.background.text !== goal.text ? [goal, options.background] : [goal];
  let kept = rows.filter((row) => {
    const broken = options.limits.find((limit) => limitFailure(row, limit) !== null);
    for (const limit of options.limits) if (fieldValue(row, limit.field) !== null) usedLimits.add(limit);
    const why = broken
      ? limitFailure(row, broken)
      : (unavailable(row, options.quantity ?? 1) ??
        about
          .map((one) => tooSmall(row, one) ?? wishFailure(row, one) ?? timeFailure(row, one))
          .find((one) => one !== null) ??
        null);
    if (why) rejected.push({ row, why });
    return !why;
  });
  const limits = [...usedLimits];
  const result = (chosen: Row | null, preference: string, ambiguous: readonly Row[] = [], guess = false): Choice => ({
    guess,
    passedOver: [],
    peers: kept,
    chosen,
    total: rows.length,
    rejected,
    limits,
    preference,
    ambiguous,
  });
  if (
    ordinal &&
    /\b(?:one|option|result|item|offer|choice|entry)?\b/i.test(goal.text) &&
    kept.length >= Math.abs(ordinal.value)
  ) {
    // What the user saw listed were the rows that fit.
    const row = ordinal.value > 0 ? kept[ordinal.value - 1] : kept.at(ordinal.value);
    if (row) return result(row, `number ${ordinal.value > 0 ? ordinal.value : rows.length} in the list`);
  }
  if (kept.length === 0) return result(null, '');
  let scores = nameScores(kept, goal, options.subject ?? null);
  if (!options.subject && Math.max(...scores) === 0 && options.background)
    scores = nameScores(kept, options.background, null);
  const top = Math.max(...scores);
  if (options.subject && top === 0 && rows.length > 1) return result(null, '');
  let named = false;
  if (top > 0 && kept.length > 1) {
    const best = kept.filter((_, index) => scores[index] === top);
    named = best.length < kept.length;
    kept = best;
  }
  const own = preferencesIn(goal);
  const preferences = own.length > 0 || !options.background ? own : preferencesIn(options.background);
  if (preferences.length > 0) {
    // "The earliest slot with the best rated doctor": each list is ranked by what its records have.
    for (const preference of preferences) {
      const ranked = rank(kept, preference.key, preference.order);
      if (ranked) return result(ranked, preference.say);
    }
    // A wish that nothing here can be ranked by must not be answered by some other ranking.
    if (kept.length > 1) return result(kept[0]!, 'first in the list', [], true);
  }
  if (options.subject && options.decisive && kept.length > 1 && differ(kept))
    return result(kept[0]!, 'ambiguous', kept);
  const cheapest = rank(kept, 'price', 'asc');
  if (cheapest && kept.length > 1) return result(cheapest, named ? 'best match' : 'cheapest', [], true);
  return result(
    kept[0]!,
    rows.length === 1
      ? 'the only one'
      : named
        ? 'best match'
        : kept.length === 1
          ? 'the only one that fits'
          : 'first in the list',
    [],
    kept.length > 1,
  );
}

const differ = (rows: readonly Row[]): boolean => new Set(rows.map((row) => JSON.stringify(row))).size > 1;

export interface Preference {
  readonly key: string;
  readonly order: 'asc' | 'desc';
  readonly say: string;
}

export const preferenceIn = (goal: Goal): Preference | null => preferencesIn(goal)[0] ?? null;

/** All that the goal would have things ranked by, an explicit field first. */
export function preferencesIn(goal: Goal): Preference[] {
  // "max price: 40" is a label, "a maximum price of 40" a limit.
  const text = goal.text
    .replace(/(?<!\bthe )\b(?:max|min)(?:imum)?\s+[\p{L} ]{2,40}/giu, ' ')
    .replace(
      /\b(?:at least|last (?:\d+|week|month|year|night|name)|first name|latest by|last \w+ (?:days|hours|weeks|minutes|months))\b/gi,
      ' ',
    );
  const superlative = text.match(
    /\b(highest|lowest|most|least|longest|fewest|smallest|largest|greatest|biggest|max(?:imum)?|min(?:imum)?)\s+(\p{L}+)(?:\s+(\p{L}+))?/iu,
  );
  const explicit =
    superlative && !PREFERENCES.some((one) => one.words.test(superlative[0])) ? [fieldOf(superlative)] : [];
  return [...explicit, ...PREFERENCES.filter((one) => one.words.test(text))];
}

/** "fewest open tickets" is about tickets, "highest price in Rome" about the price. */
function fieldOf(superlative: RegExpMatchArray): Preference {
  const second = superlative[3]?.toLowerCase() ?? '';
  const counted = /^(?:fewest|most|least)$/i.test(superlative[1]!) && second.length > 3 && second.endsWith('s');
  const word = counted && !STOP_WORDS.has(second) ? second : superlative[2]!.toLowerCase();
  return {
    key: Object.entries(FIELD_GROUPS).find(([, words]) => words.has(word))?.[0] ?? word,
    order: /^(?:lowest|least|fewest|smallest|min)/i.test(superlative[1]!) ? 'asc' : 'desc',
    say: superlative[0].toLowerCase(),
  };
}

export function rank(rows: readonly Row[], key: string, order: 'asc' | 'desc'): Row | null {
  const valued = rows
    .map((row) => ({ row, value: fieldValue(row, key) ?? relatedValue(row, key) }))
    .filter((one): one is { row: Row; value: number } => one.value !== null);
  if (valued.length === 0) return null;
  return valued.reduce((best, one) =>
    (order === 'asc' ? one.value < best.value : one.value > best.value) ? one : best,
  ).row;
}

function relatedValue(row: Row, key: string): number | null {
  for (const [name, value] of scalarsOf(row))
    if (splitIdentifier(name).some((part) => related(stem(part), stem(key)))) {
      const number = sortable(value);
      if (number !== null) return number;
    }
  return null;
}
