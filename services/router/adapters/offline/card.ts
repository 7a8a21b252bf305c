/**
 * What is worth saying of a record: who, what, the way, when, how much, its handle, and a few further facts. Owns the reading
 * of keys into these slots and that no fact is said twice; the values' wording is `say-value.ts`'s and `say-time.ts`'s.
 */
import { FROM_WORDS, PERSON_WORDS, PLACE_WORDS, TO_WORDS } from './lexicon.ts';
import { type Moment, readMoment, sayMomentShort, sayRange } from './say-time.ts';
import { clip, isCode, isMoneyKey, sayFlag, sayMoney, sayNumberFact } from './say-value.ts';
import { isObject } from './schema.ts';
import { escapeRegExp, normalizeKey, splitIdentifier, wordsOf } from './words.ts';

type Row = Record<string, unknown>;

export interface Leaf {
  /** Words of its own key; with its container's where the key alone says too little. */
  readonly words: readonly string[];
  readonly container: string;
  readonly value: string | number | boolean;
  readonly currency: string | null;
  readonly depth: number;
}

export interface Handle {
  readonly label: string;
  readonly value: string;
}

export interface Card {
  readonly title: string | null;
  readonly who: string | null;
  readonly way: string | null;
  readonly when: string | null;
  readonly money: readonly string[];
  /** What a person quotes: a reference, a confirmation or tracking number. */
  readonly reference: Handle | null;
  readonly ids: readonly Handle[];
  readonly status: string | null;
  /** Further facts, most telling first. */
  readonly rest: readonly string[];
}

export interface CardOptions {
  /** Keys that the question names come first. */
  readonly first?: ((key: string) => boolean) | undefined;
  /** Values that the reader knows already; they are not repeated. */
  readonly known?: readonly unknown[];
  /** Whether a record without a name may go by whose it is ("Paperworks INV-2031"). */
  readonly owned?: boolean;
}

const DEPTH_MAX = 3;
const TEXT_LENGTH_MAX = 80;
const TITLE_WORDS = new Set('name title subject summary headline label'.split(' '));
const GENERIC_WORDS = new Set('id name code number status state type title value'.split(' '));
const ID_WORDS = new Set('id ids uuid guid key sku token hash handle slug etag'.split(' '));
const REFERENCE = /^(?:reference|ref|confirmation|tracking|locator|receipt)$/;
const NOISE =
  /^(?:url|link|href|self|image|icon|avatar|etag|version|metadata|object|type|kind_of|schema|locale|timezone|zone|currency)$/;
const AUDIT = /(?:ed|id|nt|ld|made)$/;
const STATUS = /^(?:status|state|outcome)$/;
/** Somebody's part in a matter rather than whom it is for: said with its name. */
const PART_WORDS = new Set('manager owner approver author reporter assignee organizer creator sender agent'.split(' '));
const END_WORDS = new Set('until till before expires expiry due deadline by'.split(' '));

/** Every plain value of a record, nested ones included, lists of words joined. */
export function leavesIn(row: Row, container = '', depth = 0, inherited: string | null = null): Leaf[] {
  const currency = ownCurrency(row) ?? inherited;
  return Object.entries(row).flatMap(([key, value]): Leaf[] => {
    const words = splitIdentifier(key);
    if (isObject(value)) return depth < DEPTH_MAX ? leavesIn(value, key, depth + 1, currency) : [];
    const plain = Array.isArray(value)
      ? value.filter((one) => typeof one === 'string' || typeof one === 'number').join(', ')
      : value;
    if (plain === null || plain === undefined || plain === '' || words.length === 0) return [];
    if (typeof plain !== 'string' && typeof plain !== 'number' && typeof plain !== 'boolean') return [];
    const full =
      words.length === 1 && GENERIC_WORDS.has(words[0]!) && container
        ? [...splitIdentifier(container), ...words]
        : words;
    return [{ words: full, container, value: typeof plain === 'string' ? plain.trim() : plain, currency, depth }];
  });
}

const ownCurrency = (row: Row): string | null => {
  const hit = Object.entries(row).find(
    ([key, value]) => normalizeKey(key).endsWith('currency') && typeof value === 'string',
  );
  return hit ? String(hit[1]).toUpperCase() : null;
};

const last = (leaf: Leaf): string => leaf.words.at(-1) ?? '';
const text = (leaf: Leaf): string | null => (typeof leaf.value === 'string' ? leaf.value : null);
export const isIdLeaf = (leaf: Leaf): boolean =>
  ID_WORDS.has(last(leaf)) ||
  (typeof leaf.value === 'string' && /^(?=.*\d)[A-Za-z0-9]+(?:[-_][A-Za-z0-9]+){3,}$/.test(leaf.value));
const isReference = (leaf: Leaf): boolean =>
  typeof leaf.value !== 'boolean' && leaf.words.some((word) => REFERENCE.test(word)) && !isIdLeaf(leaf);
const isNumbered = (leaf: Leaf): boolean =>
  (last(leaf) === 'number' && leaf.words.length > 1) || (last(leaf) === 'number' && typeof leaf.value === 'string');
const isNoise = (leaf: Leaf): boolean =>
  leaf.words.some((word) => NOISE.test(word)) || /^https?:/.test(String(leaf.value));
const isPerson = (leaf: Leaf): boolean => {
  const own = leaf.words.filter((word) => word !== 'name' && word !== 'names');
  return (
    text(leaf) !== null &&
    !/@/.test(text(leaf)!) &&
    own.some((word) => PERSON_WORDS.has(word)) &&
    !own.some((word) => PART_WORDS.has(word)) &&
    (TITLE_WORDS.has(last(leaf)) || last(leaf) === 'fullname' || PERSON_WORDS.has(last(leaf)))
  );
};
const isTitle = (leaf: Leaf): boolean => text(leaf) !== null && TITLE_WORDS.has(last(leaf)) && !isPerson(leaf);
/** "departure" and "destination" end a way; a date or an id under such a key does not. */
const endOfWay = (leaf: Leaf, words: ReadonlySet<string>): boolean =>
  text(leaf) !== null &&
  !isIdLeaf(leaf) &&
  readMoment(leaf.value) === null &&
  leaf.words.some((word) => words.has(word)) &&
  text(leaf)!.length < 60;

/** Keeps what is said once: each phrase's own value is remembered. */
class Said {
  private readonly texts: string[] = [];
  add(value: unknown): void {
    this.texts.push(String(value).toLowerCase());
  }
  /** Whether a value is told already, alone or inside a longer one. */
  has(value: unknown): boolean {
    const plain = String(value).toLowerCase();
    return this.texts.some(
      (one) => one === plain || (plain.length > 2 && new RegExp(`(?:^|\\W)${escapeRegExp(plain)}(?:\\W|$)`).test(one)),
    );
  }
}

export function cardOf(leaves: readonly Leaf[], options: CardOptions = {}): Card {
  const said = new Said();
  for (const value of options.known ?? []) if (typeof value !== 'boolean') said.add(value);
  const open = new Set(leaves.filter((leaf) => !isNoise(leaf)));
  const take = (leaf: Leaf | undefined): string | null => {
    if (!leaf) return null;
    open.delete(leaf);
    const value = clip(String(leaf.value), TEXT_LENGTH_MAX * 2);
    if (said.has(leaf.value)) return null;
    said.add(leaf.value);
    return value;
  };
  const find = (test: (leaf: Leaf) => boolean): Leaf | undefined =>
    [...open].filter(test).sort((left, right) => left.depth - right.depth)[0];
  const reference = handleOf(take, find(isReference));
  const who = take(find(isPerson));
  const title = titleOf(open, take, find, options.owned ?? true);
  const way = wayOf(open, find, said);
  const { when, moments } = whenOf(open, said);
  const money = moneyOf(open, said);
  const status = take(find((leaf) => text(leaf) !== null && STATUS.test(last(leaf)) && text(leaf)!.length < 40));
  const ids = [...open].filter(isIdLeaf).map((leaf) => ({ label: leaf.words.join(' '), value: String(leaf.value) }));
  for (const leaf of [...open]) if (isIdLeaf(leaf)) open.delete(leaf);
  const rest = [...moments, ...restOf(open, said, options)];
  return { title, who, way, when, money, reference, ids: unique(ids), status, rest };
}

const unique = (handles: readonly Handle[]): Handle[] =>
  handles.filter((one, index) => handles.findIndex((other) => other.value === one.value) === index);

const handleOf = (take: (leaf: Leaf | undefined) => string | null, leaf: Leaf | undefined): Handle | null => {
  const value = take(leaf);
  return leaf && value ? { label: leaf.words.join(' '), value } : null;
};

/** Its name; where it has none, whose it is and its number: "Paperworks INV-2031". */
function titleOf(
  open: Set<Leaf>,
  take: (leaf: Leaf | undefined) => string | null,
  find: (test: (leaf: Leaf) => boolean) => Leaf | undefined,
  owned: boolean,
): string | null {
  const own = find(isTitle);
  if (own) return take(own);
  const proper = find(
    (leaf) =>
      owned &&
      text(leaf) !== null &&
      leaf.words.length === 1 &&
      !isNumbered(leaf) &&
      /^\p{Lu}[\p{L} .&'’-]+$/u.test(text(leaf)!) &&
      text(leaf)!.length < 40 &&
      readMoment(leaf.value) === null &&
      !isCode(text(leaf)!) &&
      !leaf.words.some(
        (word) => PLACE_WORDS.has(word) || FROM_WORDS.has(word) || TO_WORDS.has(word) || STATUS.test(word),
      ),
  );
  const numbered = find((leaf) => isNumbered(leaf) && leaf !== proper);
  const parts = [take(proper), numbered && (proper ? take(numbered) : sayNumbered(numbered, take))].filter(Boolean);
  for (const leaf of [proper, numbered]) if (leaf) open.delete(leaf);
  return parts.length > 0 ? parts.join(' ') : null;
}

const sayNumbered = (leaf: Leaf, take: (leaf: Leaf | undefined) => string | null): string | null => {
  const value = take(leaf);
  const label = leaf.words.slice(0, -1).join(' ');
  return value && label ? `${label} ${value}` : value;
};

/** "Berlin to Tokyo": the fuller of the names that a place goes by. */
function wayOf(open: Set<Leaf>, find: (test: (leaf: Leaf) => boolean) => Leaf | undefined, said: Said): string | null {
  const fullest = (words: ReadonlySet<string>): Leaf | undefined =>
    [...open]
      .filter((leaf) => endOfWay(leaf, words))
      .sort((left, right) => String(right.value).length - String(left.value).length || left.depth - right.depth)[0];
  const [from, to] = [fullest(FROM_WORDS), fullest(TO_WORDS)];
  if (!from || !to || from === to || !find((leaf) => leaf === from)) return null;
  for (const leaf of [...open]) if (endOfWay(leaf, FROM_WORDS) || endOfWay(leaf, TO_WORDS)) open.delete(leaf);
  if (said.has(from.value) && said.has(to.value)) return null;
  for (const leaf of [from, to]) said.add(leaf.value);
  return `${String(from.value)} to ${String(to.value)}`;
}

/** A record's days as one range; clock times that go with them apart; what the books only keep (`bookedAt`) not at all. */
function whenOf(open: Set<Leaf>, said: Said): { when: string | null; moments: string[] } {
  const dated = [...open].flatMap((leaf) => {
    const moment = readMoment(leaf.value);
    if (moment) open.delete(leaf);
    return moment && !isAudit(leaf) ? [{ leaf, moment }] : [];
  });
  const plain = dated.filter((one) => !one.leaf.words.some((word) => END_WORDS.has(word)));
  const days = distinct(plain.filter((one) => one.moment.time === null));
  const times = distinct(plain.filter((one) => one.moment.time !== null));
  const ends = dated.filter((one) => !plain.includes(one));
  const spanned =
    days.length > 0 && days.length <= 2 ? days : days.length === 0 && times.length === 2 && isSpan(times) ? times : [];
  const label = spanned.length === 1 ? labelOfMoment(spanned[0]!.leaf) : '';
  const when = spanned.length === 0 ? null : `${label}${sayRange(spanned[0]!.moment, spanned.at(-1)!.moment)}`;
  const fresh = when !== null && !said.has(when);
  if (when !== null) said.add(when);
  const year = when?.match(/\d{4}(?!.*\d{4})/)?.[0] ?? '';
  const moments = [...days, ...times, ...distinct(ends)]
    .filter((one) => !spanned.includes(one))
    .map((one) => `${labelOfMoment(one.leaf)}${sayMomentShort(one.moment, year)}`)
    .filter((one) => !said.has(one));
  for (const one of moments) said.add(one);
  return { when: fresh ? when : null, moments };
}

const isAudit = (leaf: Leaf): boolean => last(leaf) === 'at' && leaf.words.length === 2 && AUDIT.test(leaf.words[0]!);
const isSpan = (times: readonly { leaf: Leaf }[]): boolean =>
  /^(?:start|from|begin)/.test(times[0]!.leaf.words[0]!) && /^(?:end|to|until|finish)/.test(times[1]!.leaf.words[0]!);
const labelOfMoment = (leaf: Leaf): string => {
  const words = leaf.words.filter((word) => !/^(?:at|date|time|day)$/.test(word));
  return words.length > 0 ? `${words.join(' ')} ` : '';
};
const distinct = (dated: readonly { leaf: Leaf; moment: Moment }[]): { leaf: Leaf; moment: Moment }[] => {
  const key = (one: { moment: Moment }): string => `${one.moment.date} ${one.moment.time}`;
  return dated
    .filter((one, index) => dated.findIndex((other) => key(other) === key(one)) === index)
    .sort((left, right) => key(left).localeCompare(key(right)));
};

/** Amounts, each once; where there is one per unit, the plain one is the total. */
function moneyOf(open: Set<Leaf>, said: Said): string[] {
  const found = [...open].filter(
    (leaf) =>
      typeof leaf.value === 'number' && isMoneyKey(leaf.words) && (leaf.currency !== null || leaf.words.some(isCode)),
  );
  for (const leaf of found) open.delete(leaf);
  const fresh = found.filter(
    (leaf, index) =>
      found.findIndex((other) => other.value === leaf.value) === index &&
      !said.has(sayMoney(leaf.words, leaf.value as number, leaf.currency)),
  );
  const phrases = fresh.map((leaf) => ({
    unit: leaf.words.includes('per'),
    text: sayMoney(leaf.words, leaf.value as number, leaf.currency),
  }));
  const units = phrases.filter((one) => one.unit);
  const whole = phrases
    .filter((one) => !one.unit)
    .map((one) => (units.length > 0 && /^[A-Z]{3} /.test(one.text) ? `${one.text} in total` : one.text));
  const money = [...units.map((one) => one.text), ...whole];
  for (const one of money) said.add(one);
  return money;
}

const restRank = (leaf: Leaf): number =>
  typeof leaf.value === 'number' ? (isMoneyKey(leaf.words) ? 0 : 1) : typeof leaf.value === 'boolean' ? 3 : 2;

function restOf(open: Set<Leaf>, said: Said, options: CardOptions): string[] {
  const unit = [...open].find((leaf) => /^units?$/.test(leaf.words.join('')) && text(leaf) !== null);
  if (unit) open.delete(unit);
  const facts = [...open]
    .map((leaf, order) => ({
      leaf,
      order,
      rank: (options.first?.(leaf.words.join('_')) ? -10 : restRank(leaf)) + leaf.depth * 0.1,
    }))
    .sort((left, right) => left.rank - right.rank || left.order - right.order);
  const phrases: string[] = [];
  for (const { leaf } of facts) {
    const phrase = sayFact(leaf, unit ? String(unit.value) : '');
    const bare = typeof leaf.value === 'string' ? leaf.value : phrase;
    if (!phrase || said.has(bare) || said.has(phrase)) continue;
    said.add(phrase);
    phrases.push(phrase);
  }
  return phrases;
}

function sayFact(leaf: Leaf, unit: string): string | null {
  if (typeof leaf.value === 'boolean') return sayFlag(leaf.words, leaf.value);
  if (typeof leaf.value === 'number') {
    const plain = sayNumberFact(leaf.words, leaf.value);
    return unit && /^(?:value|amount|result|temperature|quantity)$/.test(leaf.words.join(' '))
      ? `${plain} ${unit}`
      : plain;
  }
  const value = clip(leaf.value).replace(/\s*[.]$/, '');
  if (!value) return null;
  if (/^(?:message|note|text|comment)$/.test(leaf.words.join(' ')) || /@/.test(value)) return value;
  return `${leaf.words.join(' ')}${wordsOf(value).length > 2 ? ':' : ''} ${value}`;
}
