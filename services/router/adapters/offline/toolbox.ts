/**
 * A tool as the planner sees it: verb, nouns, parameters with their kinds, what it returns, whether it changes the
 * world. Owns the reading of names and schemas; knows nothing of any goal.
 */
import type { ToolDefinition } from '@tutti/contracts';
import { CALENDAR_WORDS, CHECK_WORDS, CUES, READ_CLASSES, STOP_WORDS, VERB_CLASS, type VerbClass } from './lexicon.ts';
import { type Parameter, readParameter } from './parameters.ts';
import { isObject, itemsOf, leavesOf, normalize, typeOf } from './schema.ts';
import { contentStems, normalizeKey, singular, splitIdentifier, stem } from './words.ts';

export interface Output {
  readonly key: string;
  /** Name of the nearest enclosing property, '' at the root. */
  readonly container: string;
  readonly description: string;
  readonly format: string;
  readonly type: string;
}

export interface Tool {
  readonly name: string;
  readonly definition: ToolDefinition;
  readonly verb: string;
  readonly verbClass: VerbClass;
  /** Singular nouns of the name, in order. */
  readonly nouns: readonly string[];
  readonly nameStems: ReadonlySet<string>;
  readonly descriptionStems: ReadonlySet<string>;
  /** Stems, and initials, of what the description's opening verb acts upon. */
  readonly objectStems: ReadonlySet<string>;
  /** Initials of neighbouring words: "virtual machine" → vm. */
  readonly acronyms: ReadonlySet<string>;
  readonly parameterStems: ReadonlySet<string>;
  readonly outputStems: ReadonlySet<string>;
  readonly parameters: readonly Parameter[];
  /** null where the tool declares nothing. */
  readonly outputs: readonly Output[] | null;
  readonly effectful: boolean;
  /** Evidently reads although its kind is not pure: may be asked for answers, but each call needs an approval. */
  readonly guarded: boolean;
  /** The verbs that it goes by: its name's, its description's first, and one that no word list knows. */
  readonly ownVerbs: readonly string[];
  /** Says whether something may be done: its outcome can stand in the way of an effect. */
  readonly checks: boolean;
  readonly aboutCalendar: boolean;
}

const OUTPUTS_MAX = 200;
const DEPTH_MAX = 6;
const HTTP_VERBS: Record<string, VerbClass> = {
  post: 'create',
  put: 'update',
  patch: 'update',
  delete: 'undo',
  get: 'get',
};
const FILLER = new Set(
  'api v1 v2 v3 by for of the a an to from with in on all via and or my id ids new controller endpoint tool rest json http'.split(
    ' ',
  ),
);

function outputsOf(returns: unknown): Output[] | null {
  if (!isObject(returns)) return null;
  const outputs: Output[] = [];
  const visit = (schema: Record<string, unknown>, container: string, depth: number): void => {
    if (depth > DEPTH_MAX || outputs.length >= OUTPUTS_MAX) return;
    const kind = typeOf(schema);
    if (kind === 'array') return visit(itemsOf(schema, returns), container, depth + 1);
    if (!isObject(schema.properties)) return;
    for (const [key, raw] of Object.entries(schema.properties)) {
      const child = normalize(raw, returns);
      const childKind = typeOf(child);
      if (childKind === 'object' || childKind === 'array') {
        outputs.push({ key, container, description: String(child.description ?? ''), format: '', type: childKind });
        visit(child, key, depth + 1);
      } else
        outputs.push({
          key,
          container,
          description: String(child.description ?? ''),
          format: String(child.format ?? ''),
          type: childKind,
        });
    }
  };
  visit(normalize(returns, returns), '', 0);
  return outputs;
}

const TELLING = new Set(
  'status history details detail info list summary count report policy options availability stats statistics log logs rates rate price prices schedule'.split(
    ' ',
  ),
);

/** A reading verb at the start of a description ("Returns the …", "Look up …"). */
function readingVerb(description: string): string | null {
  const opening = description.toLowerCase().match(/^\W*(\p{L}+)/u)?.[1] ?? '';
  const verb = [opening, opening.replace(/es$/, ''), opening.replace(/s$/, '')].find((form) =>
    READ_CLASSES.has(VERB_CLASS.get(form) ?? 'create'),
  );
  return verb ?? (opening === 'returns' || opening === 'return' ? 'get' : null);
}

/**
 * A tool that says in its name and its description that it only reads, though its kind is not `pure` (a server that gives
 * no hints, a search by POST). Calling it is safe: whatever is not pure passes the policy's gate, where a human decides.
 * Doubt speaks against it: `check_in_guest`, `get_or_create_user` and `find_and_replace` act.
 */
function evidentlyReads(parts: readonly string[], description: string): boolean {
  const acts = (word: string): boolean => VERB_CLASS.has(word) && !READ_CLASSES.has(VERB_CLASS.get(word)!);
  const own = parts[0] !== 'get' && HTTP_VERBS[parts[0]!] && parts.length > 1 ? parts.slice(1) : parts;
  if (['put', 'patch', 'delete'].includes(parts[0]!) || own.some((part) => /^(?:and|or|in|out|off)$/.test(part)))
    return false;
  const opening = description.toLowerCase().match(/^\W*(\p{L}+)/u)?.[1] ?? '';
  const opens = readingVerb(description);
  if (opening && !opens && [opening, opening.replace(/e?s$/, ''), opening.replace(/s$/, '')].some(acts)) return false;
  if (/\b(?:and|then)\s+(?:creates?|deletes?|removes?|updates?|sends?|marks?|books?|resets?)\b/i.test(description))
    return false;
  const [first, last] = [own[0]!, own.at(-1)!];
  if (SURELY_READS.has(first))
    return !own.slice(1).some((part) => /^(?:create|delete|update|replace|remove|set|send)$/.test(part));
  const tells = SURELY_READS.has(last) || TELLING.has(last) || last === 'lookup';
  return tells && !acts(first) && (opens !== null || SURELY_READS.has(last));
}

const SURELY_READS = new Set(
  'get list search find show read lookup query fetch describe retrieve view browse check count status'.split(' '),
);

/** A word list cannot know every verb: the first word of an acting tool's name is one where nothing else in it is. */
function ownVerbsOf(parts: readonly string[], verb: string, description: string, effectful: boolean): string[] {
  const opening = description.toLowerCase().match(/^\W*(\p{L}+)/u)?.[1] ?? '';
  const forms = [opening, opening.replace(/e?s$/, ''), opening.replace(/s$/, '')];
  const opens = forms.find((form) => VERB_CLASS.has(form)) ?? opening;
  const first = parts[0] ?? '';
  const coined =
    effectful &&
    first.length > 2 &&
    !VERB_CLASS.has(first) &&
    !FILLER.has(first) &&
    singular(first) === first &&
    !parts.slice(1).some((part) => VERB_CLASS.has(part));
  return [...new Set([verb, opens, coined ? first : ''])].filter(Boolean);
}

/** First word of the name that is a verb (position first, so that `orders_create` works as well as `createOrder`). */
function verbOf(parts: readonly string[], description: string, effect: string): { verb: string; verbClass: VerbClass } {
  if (parts[0] === 'get' && parts.length > 1) return { verb: 'get', verbClass: 'get' };
  const opens = readingVerb(description);
  // `post_orders_search` is a search, `rates_quote` with "Get prices …" a reading.
  if (
    effect === 'pure' &&
    parts.length > 1 &&
    !SURELY_READS.has(parts[0]!) &&
    (opens || SURELY_READS.has(parts.at(-1)!))
  ) {
    const last = parts.at(-1)!;
    const named = [last, ...parts].find((part) => READ_CLASSES.has(VERB_CLASS.get(part) ?? 'create'));
    const verb = named ?? opens ?? 'get';
    return { verb, verbClass: VERB_CLASS.get(verb) ?? 'get' };
  }
  // `order_status` orders nothing: a pure tool whose name ends in what it tells, or whose description opens with a reading verb.
  if (
    effect === 'pure' &&
    parts.length > 1 &&
    !READ_CLASSES.has(VERB_CLASS.get(parts[0]!) ?? 'get') &&
    (TELLING.has(parts.at(-1)!) || opens)
  )
    return { verb: opens ?? 'get', verbClass: opens ? VERB_CLASS.get(opens)! : 'get' };
  const http = parts[0] && HTTP_VERBS[parts[0]] && parts.length > 1 ? parts[0] : null;
  const rest = http ? parts.slice(1) : parts;
  const first = !http && rest[0] && VERB_CLASS.has(rest[0]) ? rest[0] : null;
  // In `orders_create` the noun comes first; a noun that doubles as a verb must not win over a plain verb behind it.
  const plain = first ?? rest.slice(1).find((part) => VERB_CLASS.has(part) && !FILLER.has(part));
  if (plain && !(http && READ_CLASSES.has(VERB_CLASS.get(plain)!)))
    return { verb: plain, verbClass: VERB_CLASS.get(plain)! };
  if (http)
    return { verb: http === 'post' ? 'create' : http === 'delete' ? 'delete' : 'update', verbClass: HTTP_VERBS[http]! };
  const opening = description.toLowerCase().match(/^\W*(\p{L}+)/u)?.[1] ?? '';
  for (const form of [opening, opening.replace(/e?s$/, ''), opening.replace(/s$/, '')])
    if (VERB_CLASS.has(form)) return { verb: form, verbClass: VERB_CLASS.get(form)! };
  return effect === 'pure' ? { verb: 'get', verbClass: 'get' } : { verb: '', verbClass: 'operate' };
}

function objectStemsOf(description: string): Set<string> {
  const object = description.split(/[.;,(]|\s(?:of|for|to|from|with|in|on|at|by|that|which|and)\s/i)[0] ?? '';
  return new Set([...contentStems(object).slice(1), ...acronymsOf(object, [])]);
}

function acronymsOf(description: string, parts: readonly string[]): Set<string> {
  const found = new Set<string>();
  for (const words of [description.toLowerCase().match(/\p{L}+/gu) ?? [], parts])
    for (const length of [2, 3])
      for (let at = 0; at + length <= words.length; at += 1) {
        const run = words.slice(at, at + length);
        if (run.every((word) => word.length > 3 && !VERB_CLASS.has(word) && !STOP_WORDS.has(word) && !CUES.has(word)))
          for (const text of [run.map((word) => word[0]).join(''), `${run.map((word) => word[0]).join('')}s`])
            found.add(stem(text));
      }
  return found;
}

/** Where both are asked for, one arrives first and departs after (a stay); a journey asks for a return instead. */
function stays(parameters: Parameter[]): Parameter[] {
  const has = (word: string): boolean => parameters.some((one) => one.words.includes(word) && one.role === 'from');
  if (!has('arrival') || !has('departure')) return parameters;
  return parameters.map((one) =>
    one.words.includes('departure') && one.role === 'from' ? { ...one, role: 'to' } : one,
  );
}

/** Beside a `date`, `start_time` is a time of that day. */
function timesBesideDate(parameters: Parameter[]): Parameter[] {
  if (!parameters.some((one) => one.kind === 'date' && one.words.some((word) => word === 'date' || word === 'day')))
    return parameters;
  return parameters.map((one) =>
    one.kind === 'moment' && one.item.format === undefined && one.words.includes('time')
      ? { ...one, kind: 'time' }
      : one,
  );
}

export function readTool(definition: ToolDefinition): Tool {
  const parts = splitIdentifier(definition.name);
  const reads = definition.effect === 'pure' || evidentlyReads(parts, definition.description);
  const { verb, verbClass } = verbOf(parts, definition.description, reads ? 'pure' : definition.effect);
  const nouns = parts
    .filter(
      (part, index) => part !== verb && !FILLER.has(part) && !(index === 0 && HTTP_VERBS[part]) && !/^v\d+$/.test(part),
    )
    .map(singular);
  const nameStems = new Set(parts.filter((part) => !FILLER.has(part)).map(stem));
  const leaves = leavesOf(definition.parameters);
  const words = [...parts, ...splitIdentifier(definition.description)].map((word) => word.toLowerCase());
  const guarded = definition.effect !== 'pure' && evidentlyReads(parts, definition.description);
  const effectful = !guarded && (definition.effect !== 'pure' || !READ_CLASSES.has(verbClass));
  return {
    guarded,
    ownVerbs: ownVerbsOf(parts, verb, definition.description, effectful),
    name: definition.name,
    definition,
    verb,
    verbClass,
    nouns,
    nameStems,
    descriptionStems: new Set(contentStems(definition.description)),
    objectStems: objectStemsOf(definition.description),
    acronyms: acronymsOf(definition.description, parts),
    parameterStems: new Set(
      leaves.flatMap((leaf) => [
        ...splitIdentifier(leaf.name).map(stem),
        ...(Array.isArray(leaf.schema.enum) ? leaf.schema.enum.flatMap((one) => contentStems(String(one))) : []),
      ]),
    ),
    outputStems: new Set((outputsOf(definition.returns) ?? []).flatMap((one) => splitIdentifier(one.key).map(stem))),
    parameters: stays(
      timesBesideDate(
        leaves.map((leaf) =>
          readParameter(
            leaf,
            nouns,
            effectful && ['create', 'schedule', 'acquire', 'prepare', 'send'].includes(verbClass),
            singular(parts[parts.lastIndexOf('id') - 1] ?? ''),
          ),
        ),
      ),
    ),
    outputs: outputsOf(definition.returns),
    effectful,
    checks:
      !effectful &&
      (verbClass === 'check' ||
        parts.some((part) => CHECK_WORDS.has(part)) ||
        words.some((word) => /^(?:availab|conflict|eligib|quota|freebusy|stock|seats?$|vacanc)/.test(word))),
    aboutCalendar: words.some((word) => CALENDAR_WORDS.has(word)),
  };
}

export const sameName = (left: string, right: string): boolean => normalizeKey(left) === normalizeKey(right);
