/**
 * Values of this process's secrets, taken out of whatever leaves it as text. A secret is known by the name of its
 * variable, or as the password in a URL.
 */
const SECRET_NAME = /KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|AUTH/i;
/** Shorter ones would take ordinary words out. */
const SECRET_CHARS_MIN = 6;
const URL_PASSWORD = /^[a-z][a-z0-9+.-]*:\/\/[^/\s:@]*:([^/\s@]+)@/i;
const HIDDEN = '[redacted]';

export function secretsOf(environment: Record<string, string | undefined>): string[] {
  const found = new Set<string>();
  for (const [name, value] of Object.entries(environment)) {
    if (!value) continue;
    const password = URL_PASSWORD.exec(value)?.[1];
    if (password) for (const form of [password, decoded(password)]) found.add(form);
    if (!SECRET_NAME.test(name) && !isToolVariable(name, value)) continue;
    found.add(value);
    // Lists of keys with what they stand for: `key:tenant,key:tenant`.
    for (const part of value.split(/[,\s]+/)) for (const piece of part.split(':').slice(0, 1)) found.add(piece);
  }
  return [...found].filter((secret) => secret.length >= SECRET_CHARS_MIN).sort((a, b) => b.length - a.length);
}

/** What tool sources are given; addresses of servers are none of it. */
function isToolVariable(name: string, value: string): boolean {
  return name.startsWith('TUTTI_VAR_') && !/^https?:\/\//.test(value);
}

/** Takes them out of text, and out of JSON, in which they may be escaped. */
export function createScrubber(environment: Record<string, string | undefined>): (text: string) => string {
  const forms = new Set(secretsOf(environment).flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1)]));
  if (forms.size === 0) return (text) => text;
  const any = new RegExp([...forms].map((form) => form.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|'), 'g');
  return (text) => text.replace(any, HIDDEN);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
