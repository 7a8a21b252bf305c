/**
 * Content of runs (prompts, answers, arguments, results, messages of errors) in traces: only where it was switched on by
 * TUTTI_TRACE_CONTENT=true, and then redacted and cut. Logs never have any.
 * Invariant: what leaves here has no value of a secret of this process, and nothing under a name that says it is one.
 */
import { createScrubber } from './secrets.ts';

/** Characters of one attribute. */
export const CONTENT_CHARS_MAX = 8_192;
const SENSITIVE =
  /pass(word|wd|phrase)|secret|token|api[-_]?key|authori[sz]ation|cookie|credential|private[-_]?key|\b(pin|cvv|cvc|iban)\b|card[-_]?number/i;
/** What looks like a credential wherever it stands. */
const LOOKS_SECRET = [
  /\b(?:sk|pk|rk|ghp|gho|github_pat|xox[abprs])[-_][A-Za-z0-9_-]{12,}/g,
  /\bBearer\s+[A-Za-z0-9._~+/=-]{8,}/gi,
  /\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*/g,
  /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g,
  /\b[A-Za-z][A-Za-z0-9+.-]*:\/\/[^\s/:@]+:[^\s/@]+@/g,
];
export const REDACTED = '[redacted]';

let captured = false;
let scrub = createScrubber({});

/** Called when telemetry starts, and by tests. */
export function captureContent(environment: Record<string, string | undefined>): void {
  captured = environment.TUTTI_TRACE_CONTENT === 'true';
  scrub = createScrubber(environment);
}

export function capturesContent(): boolean {
  return captured;
}

/** The value as text for an attribute; undefined where content is not wanted. `value` is looked at only if it is. */
export function contentOf(value: unknown): string | undefined {
  if (!captured || value === undefined || value === null) return undefined;
  const text = typeof value === 'string' ? redactJson(value) : JSON.stringify(value, hideSensitive);
  return cut(redactText(text));
}

/** Text that is JSON is redacted by its names too. */
function redactJson(text: string): string {
  const first = text.trimStart()[0];
  if (first !== '{' && first !== '[') return text;
  try {
    return JSON.stringify(JSON.parse(text), hideSensitive);
  } catch {
    return text;
  }
}

function hideSensitive(key: string, value: unknown): unknown {
  return SENSITIVE.test(key) && (typeof value === 'string' || typeof value === 'number') ? REDACTED : value;
}

function redactText(text: string): string {
  let redacted = scrub(text);
  for (const pattern of LOOKS_SECRET) redacted = redacted.replace(pattern, REDACTED);
  return redacted;
}

function cut(text: string): string {
  return text.length <= CONTENT_CHARS_MAX
    ? text
    : `${text.slice(0, CONTENT_CHARS_MAX)}… (${text.length - CONTENT_CHARS_MAX} more characters)`;
}
