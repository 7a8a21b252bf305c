/**
 * What a parameter wants: its kind (date, place, id …) and its role (start or end, from or to, minimum or maximum),
 * read from type, format, name and description, in this order of trust. Owns classification only.
 */
import { FROM_WORDS, PERSON_WORDS, PLACE_WORDS, TO_WORDS } from './lexicon.ts';
import { descriptionOf, enumOf, itemsOf, type Leaf, typeOf } from './schema.ts';
import { contentStems, singular, splitIdentifier, stem, wordsOf } from './words.ts';

export type ParameterKind =
  | 'enum'
  | 'boolean'
  | 'date'
  | 'moment'
  | 'time'
  | 'duration'
  | 'money'
  | 'count'
  | 'percent'
  | 'number'
  | 'coordinate'
  | 'epoch'
  | 'currency'
  | 'email'
  | 'url'
  | 'phone'
  | 'zone'
  | 'id'
  | 'place'
  | 'person'
  | 'expression'
  | 'body'
  | 'title'
  | 'query'
  | 'reason'
  | 'named'
  | 'object';
export type Role = 'from' | 'to' | 'max' | 'min' | 'own' | '';

export interface Parameter extends Leaf {
  readonly kind: ParameterKind;
  readonly role: Role;
  /** Takes a list of values of `kind`. */
  readonly many: boolean;
  /** Schema of one value. */
  readonly item: Record<string, unknown>;
  /** What an id identifies ("order" for orderId), '' where unknown. */
  readonly entity: string;
  readonly words: readonly string[];
  readonly stems: ReadonlySet<string>;
  readonly description: string;
  /** Minutes, hours or days for durations. */
  readonly unit: 'minutes' | 'hours' | 'days' | 'seconds' | 'weeks' | 'months';
  readonly fallback: unknown;
}

const ID_WORDS = new Set(
  'id ids uuid guid key ref reference sku token slug code identifier no handle isbn arn iban bic vin ean upc'.split(
    ' ',
  ),
);
const MONEY = /^(?:price|amount|cost|fare|budget|total|fee|salary|balance|spend|payment|sum|rate|money|cents|limit2)$/;
const COUNT =
  /^(?:quantity|qty|count|passengers?|guests?|adults?|children|people|persons?|replicas?|limit|size|nights|rooms|seats|copies|instances|number|num|participants|top|page|offset|max|units?)$/;
const DURATION = /^(?:duration|minutes?|mins?|hours?|days?|seconds?|secs?|weeks?|months?|length|ttl|timeout)$/;
const DATE =
  /^(?:date|day|deadline|due|until|since|birthday|dob|expiry|expires|when|departure|arrival|checkin|checkout|begin|start|end|after|before|from|to|on)$/;
const START =
  /^(?:start|from|begin|since|after|departure|depart|departing|outbound|checkin|in|pickup|earliest|first|min|arrival|begins|starts|opening|lower)$/;
const END =
  /^(?:end|to|until|till|before|return|returning|inbound|checkout|out|dropoff|latest|last|max|due|deadline|expiry|expires|ends|upper|through|back|finish)$/;
const BODY =
  /^(?:body|message|text|content|note|notes|comment|description|details|instructions|markdown|html|memo|remarks)$/;
const TITLE = /^(?:title|subject|headline|topic|heading|label|summary)$/;
const QUERY = /^(?:q|query|search|keywords?|terms?|question|prompt|filter|phrase|searchterm|input|lookup|needle)$/;
const REASON = /^(?:reason|justification|cause|why|purpose)$/;

/** `idNoun`: what a bare `id` identifies, where the tool's name says so (`orders_id_items`). */
export function readParameter(leaf: Leaf, toolNouns: readonly string[], creates: boolean, idNoun = ''): Parameter {
  const many = typeOf(leaf.schema) === 'array';
  const item = many ? itemsOf(leaf.schema, leaf.schema) : leaf.schema;
  const words = splitIdentifier(leaf.name).map((word) => (many ? singular(word) : word));
  const description = [descriptionOf(leaf.schema), many ? descriptionOf(item) : ''].join(' ').trim();
  const holder = leaf.path
    .slice(0, -1)
    .filter((part): part is string => typeof part === 'string')
    .at(-1);
  const nouns = holder ? splitIdentifier(holder).map(singular) : toolNouns;
  const kind = kindOf(item, words, description, nouns, creates);
  return {
    ...leaf,
    kind,
    many,
    item,
    words,
    description,
    role: roleOf(kind, words, description),
    entity: entityOf(words, toolNouns, leaf, description, idNoun),
    stems: new Set([...words.map(stem), ...contentStems(description)]),
    unit: unitOf(words, description),
    fallback: leaf.schema.default,
  };
}

function kindOf(
  schema: Record<string, unknown>,
  words: readonly string[],
  description: string,
  nouns: readonly string[],
  creates: boolean,
): ParameterKind {
  const type = typeOf(schema);
  const text = `${words.join(' ')} ${description}`.toLowerCase();
  const has = (pattern: RegExp): boolean => words.some((word) => pattern.test(word));
  if (enumOf(schema)) return 'enum';
  if (type === 'boolean') return 'boolean';
  if (type === 'object' || type === 'array' || type === 'null') return 'object';
  if (type === 'number' || type === 'integer') {
    if (has(/^(?:lat|latitude|lon|lng|longitude)$/)) return 'coordinate';
    if (has(/^(?:timestamp|epoch|unix)$/) || /unix|epoch/.test(text)) return 'epoch';
    if (words.at(-1) === 'id' || words.at(-1) === 'ids') return 'id';
    if (has(/^(?:percent|percentage|pct)$/) || /\bpercent/i.test(description)) return 'percent';
    if (has(DURATION) || /\b(?:in|number of) (?:minutes|hours|days|seconds)\b/i.test(description))
      return has(/^nights$/) ? 'count' : 'duration';
    if (has(MONEY) && !has(/^(?:limit|count)$/)) return 'money';
    if (has(COUNT) || /\b(?:number of|how many|count of)\b/i.test(description)) return 'count';
    if (/\b(?:price|amount|currency|cost)\b/i.test(description)) return 'money';
    return 'number';
  }
  const format = typeof schema.format === 'string' ? schema.format : '';
  const pattern = typeof schema.pattern === 'string' ? schema.pattern : '';
  const example = String((Array.isArray(schema.examples) ? schema.examples[0] : schema.example) ?? '');
  if (format === 'date') return 'date';
  if (format === 'date-time') return 'moment';
  if (format === 'time') return 'time';
  if (
    format === 'email' ||
    has(/^e?mails?$/) ||
    (/\be-?mail/i.test(description) &&
      has(/^(?:to|from|cc|bcc|recipient|address|attendee|invitee|sender|participant|who)s?$/))
  )
    return 'email';
  if (format === 'uri' || format === 'url' || has(/^(?:url|uri|link|webhook|website)$/)) return 'url';
  if (format === 'uuid') return 'id';
  if (has(/^(?:phone|mobile|telephone|msisdn)$/)) return 'phone';
  if (has(/^(?:timezone|tz)$/) || /timezone|time zone/i.test(words.join(' ')) || /\bIANA\b/.test(description))
    return 'zone';
  if (
    has(/^(?:currency|ccy)$/) ||
    /currency code|ISO[- ]?4217/i.test(description) ||
    (/\bcurrency\b/i.test(description) && words.length <= 2 && has(/^(?:from|to|base|quote|target|source)$/))
  )
    return 'currency';
  if (
    has(/^(?:expression|formula|equation|calculation|expr)$/) ||
    /\b(?:arithmetic|mathematical|math) expression\b/i.test(description)
  )
    return 'expression';
  if (has(/^lat|^lon|^lng/) && /coordinate|latitude|longitude/i.test(text)) return 'coordinate';
  if (
    /^\d{4}-\d{2}-\d{2}T/.test(example) ||
    /\b(?:date-?time|RFC ?3339|timestamp|ISO ?8601 (?:date-?time|instant))\b/i.test(description) ||
    has(/^(?:datetime|timestamp)$/) ||
    (has(/^(?:time|at)$/) && (has(START) || has(END)) && !/HH:?MM/i.test(description))
  )
    return 'moment';
  if (
    /^\d{2}:\d{2}/.test(example) ||
    (has(/^time$/) && /HH:?MM|24[- ]?h|time of day/i.test(description)) ||
    (words.length === 1 && words[0] === 'time')
  )
    return 'time';
  if (
    /^\d{4}-\d{2}-\d{2}$/.test(example) ||
    has(/^(?:date|day|deadline|birthday|dob|checkin|checkout)$/) ||
    /YYYY-?MM-?DD|\\d\{4\}-/.test(`${description}${pattern}`)
  )
    return 'date';
  if (has(DURATION) && !/^(?:day)$/.test(words.at(-1)!)) return 'duration';
  if (
    (words.length === 1 || (words.length === 2 && has(/^(?:start|end|check|time|at)$/))) &&
    has(DATE) &&
    (/\b(?:date|day|time|when|ISO|start|end|beginning|moment|instant|range)\b/i.test(description) ||
      /^(?:start|end|since|until|deadline|due|begin|when|in|out)$/.test(words.at(-1)!))
  )
    return /time|moment|instant/i.test(text) && !/\bdate\b(?!-?time)/i.test(text) ? 'moment' : 'date';
  const last = words.at(-1) ?? '';
  if (has(REASON)) return 'reason';
  // A number in a string ("number of the order") is an id; "phone number" was handled above.
  if (
    (ID_WORDS.has(last) || (/^(?:number|tag)$/.test(last) && words.length > 1)) &&
    !(last === 'code' && /country|postal|zip/.test(text))
  )
    return 'id';
  if (
    /\b(?:id|identifier|uuid|SKU)\b/i.test(description) &&
    !/\bor (?:name|title)\b|\bname or\b/i.test(description) &&
    words.length <= 2 &&
    !has(BODY) &&
    !has(TITLE) &&
    !has(QUERY)
  )
    return 'id';
  if (words.length === 1 && QUERY.test(words[0]!)) return 'query';
  if (has(BODY)) return 'body';
  if (has(TITLE) || (creates && last === 'name' && words.length === 1 && !nouns.some((noun) => PERSON_WORDS.has(noun))))
    return 'title';
  if (has(QUERY)) return 'query';
  const nounWords = [
    ...words,
    ...(/^(?:name|full|first|last)$/.test(last) || words.length === 1 ? wordsOf(description).slice(0, 8) : []),
  ];
  if (words.some((word) => PLACE_WORDS.has(word)) && !words.some((word) => PERSON_WORDS.has(word) && word !== 'name'))
    return 'place';
  if (/\b(?:city|country|airport|town|place|location|address|IATA)\b/i.test(description) && !has(/^name$/))
    return 'place';
  if (
    words.some((word) => PERSON_WORDS.has(word) && word !== 'name') ||
    (last === 'name' &&
      (nouns.some((noun) => PERSON_WORDS.has(noun)) ||
        nounWords.some((word) => PERSON_WORDS.has(word) && word !== 'name')))
  )
    return 'person';
  if (/\b(?:person|customer|employee|recipient|contact|user|colleague)(?:'s)?(?: full)? name\b/i.test(description))
    return 'person';
  return 'named';
}

function roleOf(kind: ParameterKind, words: readonly string[], description: string): Role {
  const has = (pattern: RegExp): boolean => words.some((word) => pattern.test(word));
  if (kind === 'date' || kind === 'moment' || kind === 'time' || kind === 'epoch') {
    if (words.join('') === 'checkin' || has(START)) return has(/^(?:to|until|return|end)$/) ? 'to' : 'from';
    if (words.join('') === 'checkout' || has(END)) return 'to';
    if (/\b(?:end|last day|until|return)\b/i.test(description) && !/\bstart/i.test(description)) return 'to';
    return /\b(?:start|first day|begin)/i.test(description) && !/\bend/i.test(description) ? 'from' : '';
  }
  if (
    has(/^(?:max|maximum|upper|most|under|below|ceiling|cap|budget|limit)$/) ||
    /\b(?:maximum|at most|upper (?:bound|limit)|no more than|ceiling)\b/i.test(description)
  )
    return 'max';
  if (has(/^(?:min|minimum|lower|least|above|over)$/) || /\b(?:minimum|at least|lower bound)\b/i.test(description))
    return 'min';
  if (kind === 'named' && has(/^new$/)) return 'to';
  if (words.some((word) => FROM_WORDS.has(word))) return 'from';
  if (words.some((word) => TO_WORDS.has(word))) return 'to';
  if (/\b(?:depart(?:ure|ing)?|leaving|origin|from which|convert from|source)\b/i.test(description)) return 'from';
  if (/\b(?:destination|arrival|convert to|target|recipient)\b/i.test(description)) return 'to';
  return '';
}

function entityOf(
  words: readonly string[],
  nouns: readonly string[],
  leaf: Leaf,
  description: string,
  idNoun: string,
): string {
  const rest = words.filter((word) => !ID_WORDS.has(word) && word !== 'number');
  if (rest.length > 0) return singular(rest.at(-1)!);
  const holder = leaf.path
    .slice(0, -1)
    .reverse()
    .find((part): part is string => typeof part === 'string');
  if (holder) return singular(splitIdentifier(holder).at(-1) ?? holder);
  const described = description.toLowerCase().match(/(\p{L}+?)s?(?:['’]s)?\s+(?:id|identifier|number|code)\b/u)?.[1];
  if (described && nouns.includes(singular(described))) return singular(described);
  return idNoun || (nouns.at(-1) ?? '');
}

function unitOf(words: readonly string[], description: string): Parameter['unit'] {
  const text = `${words.join(' ')} ${description}`.toLowerCase();
  if (/\bsec/.test(text)) return 'seconds';
  if (/\bhours?\b|\bhrs?\b/.test(text)) return 'hours';
  if (/\bweeks?\b/.test(text)) return 'weeks';
  if (/\bmonths?\b/.test(text)) return 'months';
  if (/\bdays?\b|\bnights?\b/.test(text)) return 'days';
  return 'minutes';
}
