/**
 * What tools returned: parsed once, walked for records and values. Owns the matching of result keys to parameters
 * (`id` inside `orders[]` is an order's id) and says which results mean "nothing found" or "failed".
 */
import { PERSON_WORDS } from './lexicon.ts';
import type { Parameter } from './parameters.ts';
import { accepts, coerce, isObject } from './schema.ts';
import type { Tool } from './toolbox.ts';
import { normalizeKey, singular, splitIdentifier, stem } from './words.ts';

export interface Observation {
  readonly callId: string;
  readonly tool: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  /** Parsed JSON, or null where the tool answered in plain text. */
  readonly data: unknown;
  readonly text: string;
  readonly isError: boolean;
  /** From an earlier turn of the session. */
  readonly past: boolean;
  readonly index: number;
}

export interface DataRecord {
  readonly value: Record<string, unknown>;
  /** Singular name of what holds it. */
  readonly container: string;
  /** Siblings in the same list, itself included; empty where it is not in a list. */
  readonly siblings: readonly Record<string, unknown>[];
  readonly observation: Observation;
  readonly depth: number;
}

export interface Candidate {
  readonly value: unknown;
  readonly score: number;
  readonly record: DataRecord;
}

const WRAPPERS = new Set(
  'data items results result value values entries records list response payload content body rows hits matches found page output object'.split(
    ' ',
  ),
);
const RECORDS_MAX = 2_000;
const DEPTH_MAX = 8;
const ID_KEYS = new Set('id uuid key guid identifier _id'.split(' '));
export const ID_LIKE = new Set(
  'id uuid key guid identifier code number no ref reference sku token slug handle symbol'.split(' '),
);

/** JSON where it is JSON, also inside an MCP-style content list; null for plain text. */
export function parseContent(content: string): { data: unknown; text: string } {
  const trimmed = content.trim();
  if (!/^[[{"\d-]|^(?:true|false|null)$/.test(trimmed)) return { data: null, text: content };
  try {
    const data: unknown = JSON.parse(trimmed);
    if (typeof data === 'string')
      return data.trim().startsWith('{') || data.trim().startsWith('[')
        ? parseContent(data)
        : { data: null, text: data };
    if (isObject(data)) {
      if (isObject(data.structuredContent)) return { data: data.structuredContent, text: content };
      const parts = Array.isArray(data.content) ? data.content : null;
      if (
        parts &&
        parts.length > 0 &&
        parts.every((part) => isObject(part) && part.type === 'text' && typeof part.text === 'string')
      )
        return parseContent(parts.map((part) => (part as { text: string }).text).join('\n'));
    }
    if (
      Array.isArray(data) &&
      data.length > 0 &&
      data.every(
        (part) =>
          isObject(part) && part.type === 'text' && typeof part.text === 'string' && Object.keys(part).length <= 3,
      )
    )
      return parseContent(data.map((part) => (part as { text: string }).text).join('\n'));
    return { data, text: content };
  } catch {
    return { data: null, text: content };
  }
}

/** All objects in a result, outermost first. */
export function recordsOf(observation: Observation, tool: Tool | undefined): DataRecord[] {
  const records: DataRecord[] = [];
  const noun = singular(tool?.nouns.at(-1) ?? splitIdentifier(observation.tool).at(-1) ?? '');
  const visit = (
    value: unknown,
    container: string,
    siblings: readonly Record<string, unknown>[],
    depth: number,
  ): void => {
    if (depth > DEPTH_MAX || records.length >= RECORDS_MAX) return;
    if (Array.isArray(value)) {
      const objects = value.filter(isObject);
      for (const one of objects) visit(one, container, objects, depth);
    } else if (isObject(value)) {
      records.push({ value, container, siblings, observation, depth });
      for (const [key, child] of Object.entries(value))
        if (typeof child === 'object' && child !== null)
          visit(
            child,
            WRAPPERS.has(key.toLowerCase()) ? container : singular(splitIdentifier(key).at(-1) ?? key),
            [],
            depth + 1,
          );
    }
  };
  visit(observation.data, noun, [], 0);
  return records;
}

const entityMatches = (left: string, right: string): boolean =>
  left !== '' &&
  right !== '' &&
  (stem(left) === stem(right) ||
    (left.length > 3 && right.length > 3 && (left.endsWith(right) || right.endsWith(left))));

/** How surely the value at `key` of a record is what the parameter wants, 0 … 1. */
export function keyScore(
  parameter: Parameter,
  key: string,
  record: Pick<DataRecord, 'container'>,
  toolNouns: readonly string[],
): number {
  const name = normalizeKey(parameter.name);
  const normal = normalizeKey(key);
  const words = splitIdentifier(key);
  const holder = record.container;
  if (parameter.kind === 'id') {
    const entity = parameter.entity;
    if (ID_KEYS.has(normal) || ID_KEYS.has(key)) {
      if (entityMatches(holder, entity)) return 1;
      if (toolNouns.some((noun) => entityMatches(noun, entity))) return 0.9;
      // An id of something merely akin ("appointment" for "slot") would be the wrong thing's; people are one kind.
      return PERSON_WORDS.has(entity) && PERSON_WORDS.has(holder) ? 0.62 : 0;
    }
    if (name.length > 2 && normal === name) return 1;
    if (words.length > 1 && ID_LIKE.has(words.at(-1)!) && entityMatches(singular(words.at(-2)!), entity))
      return words.at(-1) === 'id' ? 1 : 0.75;
    if (ID_LIKE.has(normal) && (entityMatches(holder, entity) || toolNouns.some((noun) => entityMatches(noun, entity))))
      return parameter.words.includes(normal) ? 0.95 : 0.62;
    // An `assignee` is mostly somebody's name, not an id.
    return normal === normalizeKey(entity) ? (PERSON_WORDS.has(entity) ? 0.5 : 0.7) : 0;
  }
  if (normal === name)
    return name === 'name' || name === 'title' || name === 'date' || name === 'text' || name === 'description'
      ? toolNouns.some((noun) => entityMatches(noun, parameter.entity)) || entityMatches(holder, parameter.entity)
        ? 0.8
        : 0.3
      : 0.95;
  if (normalizeKey(`${holder} ${key}`) === name) return 1;
  if (parameter.kind === 'email') return /e?mail/.test(normal) ? 0.9 : 0;
  if (parameter.kind === 'phone') return /phone|mobile/.test(normal) ? 0.9 : 0;
  if (parameter.kind === 'coordinate')
    return (/^lat/.test(name) && /^lat/.test(normal)) || (/^(?:lon|lng)/.test(name) && /^(?:lon|lng)/.test(normal))
      ? 0.95
      : 0;
  // `account` wants what `accounts[].id` holds, `service` what `services[].name` holds.
  if (
    parameter.kind === 'named' &&
    (ID_KEYS.has(normal) || normal === 'name') &&
    entityMatches(holder, parameter.words.at(-1) ?? '')
  )
    return normal === 'name' ? 0.85 : 0.8;
  if (words.length > 1 && parameter.words.length > 1 && parameter.words.every((word) => words.includes(word)))
    return 0.8;
  // Airport code, country code, ticker: "…Code" parameters from a `code` key.
  if (ID_LIKE.has(normal) && parameter.words.includes(normal) && normal !== 'id') return 0.7;
  return 0;
}

/** Scalar values in one record that the parameter can take, best first. */
export function candidatesIn(record: DataRecord, parameter: Parameter, toolNouns: readonly string[]): Candidate[] {
  const found: Candidate[] = [];
  for (const [key, raw] of Object.entries(record.value)) {
    if (raw === null || typeof raw === 'object') continue;
    const score = keyScore(parameter, key, record, toolNouns);
    const value = score > 0 ? coerce(raw, parameter.item) : undefined;
    if (value !== undefined && value !== '' && accepts(value, parameter.item, parameter.item))
      found.push({ value, score, record });
  }
  return found.sort((left, right) => right.score - left.score);
}

/** Values in plain text: "Order id: o-17", "Maria <maria@…>". */
export function candidatesInText(observation: Observation, parameter: Parameter, tool: Tool | undefined): Candidate[] {
  if (observation.data !== null || observation.isError) return [];
  const record: DataRecord = { value: { text: observation.text }, container: '', siblings: [], observation, depth: 0 };
  const text = observation.text;
  const entity = parameter.entity;
  const values: [unknown, number][] = [];
  if (parameter.kind === 'email')
    for (const match of text.matchAll(/[\w.+-]+@[\w-]+(?:\.[\w-]+)+/g)) values.push([match[0], 0.9]);
  else if (parameter.kind === 'id') {
    const labelled = text.match(
      new RegExp(
        `\\b${entity}[\\s_-]*(?:id|number|no|ref|reference|code|key)?\\s*(?:is|:|=|#)?\\s*#?([A-Za-z]*[-_]?\\d[\\w-]*)`,
        'i',
      ),
    );
    if (entity && labelled) values.push([labelled[1], 0.85]);
    const plain = text.match(/\bid\s*(?:is|:|=)?\s*["#]?([\w-]*\d[\w-]*)/i);
    if (plain && tool?.nouns.some((noun) => entityMatches(noun, entity))) values.push([plain[1], 0.75]);
  } else {
    const match = text.match(new RegExp(`\\b${parameter.words.join('[\\s_-]*')}\\s*(?:is|:|=)\\s*([^\\n,;]+)`, 'i'));
    if (match) values.push([match[1]!.trim(), 0.75]);
  }
  return values.flatMap(([raw, score]) => {
    const value = coerce(raw, parameter.item);
    return value !== undefined && accepts(value, parameter.item, parameter.item) ? [{ value, score, record }] : [];
  });
}

/** The list that a result is about: the root, or its largest list of objects. null where the result is no list. */
export function mainList(data: unknown): readonly unknown[] | null {
  if (Array.isArray(data)) return data;
  if (!isObject(data)) return null;
  const lists = Object.entries(data).filter((entry): entry is [string, unknown[]] => Array.isArray(entry[1]));
  const wrapped = Object.entries(data).find(([key, value]) => WRAPPERS.has(key) && isObject(value));
  if (lists.length === 0) return wrapped ? mainList(wrapped[1]) : null;
  return lists.sort((left, right) => right[1].length - left[1].length)[0]![1];
}

/** A lookup that found nothing: an empty list, null, an empty object, or text that says so. */
export function isEmptyResult(observation: Observation): boolean {
  if (observation.isError) return false;
  const { data, text } = observation;
  if (data === null)
    return (
      text.trim() === '' ||
      text.trim() === 'null' ||
      /^\W*(?:no|nothing|none|0)\b.{0,60}\b(?:found|match(?:es|ing)?|results?|available|exist)/i.test(text) ||
      /\bnot found\b/i.test(text.slice(0, 120))
    );
  const list = mainList(data);
  if (list) {
    const scalars = isObject(data)
      ? Object.entries(data).filter(
          ([key, value]) =>
            (typeof value !== 'object' || value === null) &&
            !/count|total|page|limit|offset|currency|query|next|more/i.test(key),
        )
      : [];
    return list.length === 0 && scalars.length === 0;
  }
  if (isObject(data)) return Object.keys(data).length === 0 || data.found === false;
  return false;
}
