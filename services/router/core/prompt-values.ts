/**
 * Values for a prompt's placeholders: all there, none unknown, each of its type. What comes from a user or a document is
 * parted from the instructions here: in its place stands its name, and the value is handed on beside them.
 */
import type { Placeholder, PromptManifest, PromptValue } from '@tutti/contracts';

export interface PromptData {
  name: string;
  from: 'user' | 'document';
  text: string;
}
export type CheckedValues =
  | { ok: true; inline: Record<string, unknown>; data: PromptData[] }
  | { ok: false; problems: string[] };

const DATE = /^\d{4}-\d{2}-\d{2}$/;

export function checkValues(
  placeholders: PromptManifest['placeholders'],
  values: Readonly<Record<string, PromptValue>>,
): CheckedValues {
  const problems = Object.keys(values)
    .filter((name) => !Object.hasOwn(placeholders, name))
    .map((name) => `there is no placeholder "${name}"${known(placeholders)}`);
  const inline: Record<string, unknown> = {};
  const data: PromptData[] = [];
  for (const [name, placeholder] of Object.entries(placeholders)) {
    const value = Object.hasOwn(values, name) ? values[name] : placeholder.default;
    if (value === undefined) {
      if (placeholder.required) problems.push(`the placeholder "${name}" (${placeholder.type}) has no value`);
      else inline[name] = null;
      continue;
    }
    const problem = problemWith(placeholder, value);
    if (problem) problems.push(`the placeholder "${name}" ${problem}`);
    else if (placeholder.from === 'operator') inline[name] = value;
    else {
      inline[name] = `"${name}" (given below as data)`;
      data.push({ name, from: placeholder.from, text: Array.isArray(value) ? value.join('\n') : String(value) });
    }
  }
  return problems.length ? { ok: false, problems } : { ok: true, inline, data };
}

function known(placeholders: PromptManifest['placeholders']): string {
  const names = Object.keys(placeholders);
  return names.length ? ` (there are: ${names.join(', ')})` : ' (it has none)';
}

function problemWith(placeholder: Placeholder, value: PromptValue): string | undefined {
  switch (placeholder.type) {
    case 'text':
      if (typeof value !== 'string') return `must be a text, not ${kindOf(value)}`;
      return value.length > placeholder.charsMax
        ? `is longer than ${placeholder.charsMax} characters (${value.length})`
        : undefined;
    case 'number':
      return typeof value === 'number' && Number.isFinite(value) ? undefined : `must be a number, not ${kindOf(value)}`;
    case 'integer':
      return Number.isInteger(value) ? undefined : `must be a whole number, not ${kindOf(value)}`;
    case 'boolean':
      return typeof value === 'boolean' ? undefined : `must be true or false, not ${kindOf(value)}`;
    case 'date':
      return typeof value === 'string' && DATE.test(value) && isDate(value)
        ? undefined
        : 'must be a date such as 2026-11-26';
    case 'choice':
      return typeof value === 'string' && placeholder.choices.includes(value)
        ? undefined
        : `must be one of ${placeholder.choices.join(', ')}`;
    case 'list':
      if (!Array.isArray(value)) return `must be a list of texts, not ${kindOf(value)}`;
      return value.length > placeholder.itemsMax ? `has more than ${placeholder.itemsMax} items` : undefined;
    default: {
      const never: never = placeholder;
      throw new Error(`unknown placeholder ${JSON.stringify(never)}`);
    }
  }
}

function isDate(text: string): boolean {
  const at = Date.parse(`${text}T00:00:00Z`);
  return !Number.isNaN(at) && new Date(at).toISOString().startsWith(text);
}

function kindOf(value: PromptValue): string {
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'string' ? 'a text' : `a ${typeof value}`;
}

/** The variant for a locale: `de-AT`, else `de`, else the prompt's own text (null). */
export function variantOf(prompt: PromptManifest, locale: string | undefined): { locale: string | null; text: string } {
  for (
    let wanted = locale;
    wanted;
    wanted = wanted.includes('-') ? wanted.slice(0, wanted.lastIndexOf('-')) : undefined
  ) {
    const text = Object.hasOwn(prompt.locales, wanted) ? prompt.locales[wanted] : undefined;
    if (text !== undefined) return { locale: wanted, text };
  }
  return { locale: null, text: prompt.text };
}
