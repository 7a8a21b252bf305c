/**
 * Where a text holds personal data or secrets. Checksums decide where there are any (IBAN: ISO 7064 mod 97; cards: Luhn).
 * Rather one too few than text in shreds: what is only digits counts as a phone number when it is written like one.
 */

export const PII_KINDS = ['email', 'phone', 'iban', 'card', 'name'] as const;
export type PiiKind = (typeof PII_KINDS)[number];

export interface Finding {
  start: number;
  end: number;
  /** What its placeholder is called: `EMAIL`. */
  word: string;
  secret: boolean;
}

export interface FindRules {
  kinds: ReadonlySet<PiiKind>;
  /** People's names to look for. */
  names: readonly string[];
  /** Word of the placeholder → what it stands for. */
  patterns: readonly { word: string; pattern: RegExp }[];
}

const EMAIL = /[\p{L}\p{N}._%+-]{1,64}@[\p{L}\p{N}-]{1,63}(?:\.[\p{L}\p{N}-]{1,63}){1,5}/gu;
const IBAN = /\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}\b/g;
const CARD = /(?<![\d.,-])\d(?:[ -]?\d){12,18}(?![\d-])/g;
const PHONE = /(?<![\p{L}\d.,_#-])(?:\+|\(\+?|00|0|\d)[\d ()./-]{5,20}\d(?![\p{L}\d_-])/gu;
/** With a country, a trunk zero and groups, or in North America's groups. */
const PHONE_FORMS = [/^(?:\+|\(\+|00)\d/, /^\(?0\d{1,5}\)?[ /-]\d/, /^\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}$/];
const DATE_LIKE = /^\d{4}[-./]\d{1,2}[-./]\d{1,2}|^\d{1,2}[-./]\d{1,2}[-./]\d{2,4}\b/;
const NAME_SAID =
  /\b(?:my name is|my name's|i am called|mein name ist|ich hei(?:ß|ss)e|je m'appelle|me llamo)\s+((?:\p{Lu}[\p{L}'’-]+)(?:\s+\p{Lu}[\p{L}'’-]+){0,3})/giu;
const NAME_FIELD =
  /"(?:(?:passenger|customer|traveller|traveler|guest|contact|person|patient|employee|account_?holder|full|first|last|family|given)_?name)"\s*:\s*"([^"\\]{2,80})"/gi;
const SECRETS: RegExp[] = [
  /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]{0,8000}?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g,
  /\b(?:sk|pk|rk)[-_](?:live_|test_|proj-|ant-|or-)?[A-Za-z0-9_-]{20,200}\b/g,
  /\b(?:ghp|gho|ghu|ghs|ghr|github_pat|glpat|xox[abprs]|npm|hf|dop_v1)[-_][A-Za-z0-9_-]{16,255}\b/g,
  /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g,
  /\bAIza[A-Za-z0-9_-]{35}\b/g,
  /\beyJ[A-Za-z0-9_-]{8,2000}\.eyJ[A-Za-z0-9_-]{8,4000}\.[A-Za-z0-9_-]{10,1000}\b/g,
  /(?<=\b(?:password|passwd|pwd|api[_-]?key|secret|access[_-]?token)["']?\s{0,3}[:=]\s{0,3}["']?)[^\s"',;]{8,200}/gi,
];
/** Without one of these no secret can be there: a look that costs less than the patterns. */
const SECRET_SIGNS =
  /-----BEGIN|[spr]k[-_]|gh[pousr]_|github_pat|glpat|xox|npm_|hf_|dop_|AKIA|ASIA|AIza|eyJ|[Pp]assw|PASSW|[Pp]wd|PWD|[Aa][Pp][Ii].?[Kk][Ee][Yy]|[Ss]ecret|SECRET|[Aa]ccess.?[Tt]oken|ACCESS.?TOKEN/;
/** Texts without any sign, since a conversation is sent again at every step; how many, and of how many characters. */
const clean = new Set<string>();
const CLEAN_MAX = 4_000;
const CLEAN_CHARS_MAX = 8_000_000;
let cleanChars = 0;
const CLEAN_CHARS_MIN = 200;

/** In order, none over another. */
export function findSensitive(text: string, rules: FindRules): Finding[] {
  const found: Finding[] = [];
  const add = (word: string, start: number, end: number, secret = false) => found.push({ start, end, word, secret });
  for (const { start, end } of secretsIn(text)) add('SECRET', start, end, true);
  for (const { word, pattern } of rules.patterns)
    for (const match of text.matchAll(pattern)) if (match[0]) add(word, match.index, match.index + match[0].length);
  const { kinds } = rules;
  if (kinds.has('email') && text.includes('@'))
    each(
      text,
      EMAIL,
      () => true,
      (s, e) => add('EMAIL', s, e),
    );
  if (kinds.has('iban')) each(text, IBAN, isIban, (s, e) => add('IBAN', s, e));
  if (kinds.has('card')) each(text, CARD, isCard, (s, e) => add('CARD', s, e));
  if (kinds.has('phone')) each(text, PHONE, isPhone, (s, e) => add('PHONE', s, e));
  if (kinds.has('name')) for (const name of rules.names) eachName(text, name, (s, e) => add('NAME', s, e));
  return withoutOverlaps(found);
}

export function mayHoldSecret(text: string): boolean {
  if (text.length < CLEAN_CHARS_MIN) return SECRET_SIGNS.test(text);
  if (clean.has(text)) return false;
  if (SECRET_SIGNS.test(text)) return true;
  if (clean.size >= CLEAN_MAX || cleanChars + text.length > CLEAN_CHARS_MAX) {
    clean.clear();
    cleanChars = 0;
  }
  clean.add(text);
  cleanChars += text.length;
  return false;
}

export function secretsIn(text: string): { start: number; end: number }[] {
  if (!mayHoldSecret(text)) return [];
  return SECRETS.flatMap((pattern) =>
    [...text.matchAll(pattern)].map((match) => ({ start: match.index, end: match.index + match[0].length })),
  );
}

/** Names that the text itself says are people's. */
export function namesSaidIn(text: string): string[] {
  return [...text.matchAll(NAME_SAID), ...text.matchAll(NAME_FIELD)].map((match) => match[1]!.trim());
}

function each(
  text: string,
  pattern: RegExp,
  holds: (match: string) => boolean,
  take: (start: number, end: number) => void,
): void {
  for (const match of text.matchAll(pattern)) if (holds(match[0])) take(match.index, match.index + match[0].length);
}

function eachName(text: string, name: string, take: (start: number, end: number) => void): void {
  for (let at = text.indexOf(name); at >= 0; at = text.indexOf(name, at + name.length)) {
    const end = at + name.length;
    if (!isLetter(text[at - 1]) && !isLetter(text[end])) take(at, end);
  }
}

function isLetter(char: string | undefined): boolean {
  return char !== undefined && /[\p{L}\p{N}]/u.test(char);
}

/** What was found first in the list wins where two overlap. */
function withoutOverlaps(found: Finding[]): Finding[] {
  const kept: Finding[] = [];
  for (const finding of found)
    if (!kept.some((other) => finding.start < other.end && other.start < finding.end)) kept.push(finding);
  return kept.sort((a, b) => a.start - b.start);
}

/** ISO 13616: the check digits make the whole a multiple of 97 plus 1. */
export function isIban(text: string): boolean {
  const plain = text.replaceAll(' ', '');
  if (plain.length < 15 || plain.length > 34) return false;
  let rest = 0;
  for (const char of plain.slice(4) + plain.slice(0, 4)) {
    const value = Number.parseInt(char, 36);
    rest = (rest * (value > 9 ? 100 : 10) + value) % 97;
  }
  return rest === 1;
}

/** Luhn. */
export function isCard(text: string): boolean {
  const digits = text.replace(/\D/g, '');
  if (digits.length < 13 || digits.length > 19 || /^0+$/.test(digits)) return false;
  let sum = 0;
  for (let i = 0; i < digits.length; i++) {
    const digit = Number(digits[digits.length - 1 - i]);
    const doubled = i % 2 === 1 ? digit * 2 : digit;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}

function isPhone(text: string): boolean {
  const digits = text.replace(/\D/g, '').length;
  return digits >= 7 && digits <= 15 && !DATE_LIKE.test(text) && PHONE_FORMS.some((form) => form.test(text));
}
