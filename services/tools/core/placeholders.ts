/**
 * `${NAME}` in a tool source, filled from variables at the moment of use. Owns the rule that values stay inside: what
 * was filled in is taken out of every text that leaves, unless it was the address of the source.
 */
import { TuttiError } from '@tutti/contracts';

const PLACEHOLDER = /\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g;
/** Shorter values are not looked for in results: they would hit by chance. */
export const SECRET_CHARS_MIN = 6;

export interface Placeholders {
  /** Throws TuttiError `unavailable` (not retryable) that names the variable when it is not set. */
  fill(template: string): string;
  /** As `fill`, for a URL: a placeholder that it begins with is an address, and no secret. */
  fillAddress(template: string): string;
  /**
   * The origin (`http://host:port`) that a variable holds with which the template begins, where the whole leads there too:
   * an address that the operator chose, and not whoever wrote the bundle.
   */
  operatorOrigin(template: string): string | undefined;
  /** From now on a secret too, e.g. a token that was asked for. */
  hide(value: string, name: string): void;
  /** The text without any value that was filled in so far. */
  redact(text: string): string;
}

export function createPlaceholders(source: string, variables: Record<string, string>): Placeholders {
  const used = new Map<string, string>();
  function fill(template: string, isSecret: (offset: number) => boolean): string {
    return template.replace(PLACEHOLDER, (_all, name: string, offset: number) => {
      const value = Object.hasOwn(variables, name) ? variables[name] : undefined;
      if (value === undefined)
        throw new TuttiError(
          'unavailable',
          `the tool source "${source}" needs the variable ${name}: set TUTTI_VAR_${name} for the tools service`,
          { retryable: false },
        );
      if (isSecret(offset) && value.length >= SECRET_CHARS_MIN) used.set(value, name);
      return value;
    });
  }
  return {
    fill: (template) => fill(template, () => true),
    fillAddress: (template) => fill(template, (offset) => offset > 0),
    operatorOrigin(template) {
      const name = /^\$\{([A-Za-z_][A-Za-z0-9_]*)\}/.exec(template)?.[1];
      const value = name !== undefined && Object.hasOwn(variables, name) ? variables[name] : undefined;
      if (value === undefined || !URL.canParse(value)) return undefined;
      const rest = template.replace(PLACEHOLDER, (_all, other: string) => variables[other] ?? '');
      const { origin } = new URL(value);
      return URL.canParse(rest) && new URL(rest).origin === origin && origin !== 'null' ? origin : undefined;
    },
    hide(value, name) {
      if (value.length >= SECRET_CHARS_MIN) used.set(value, name);
    },
    redact(text) {
      let clean = text;
      for (const [value, name] of used) {
        clean = clean.replaceAll(value, `[${name}]`);
        const escaped = JSON.stringify(value).slice(1, -1);
        if (escaped !== value) clean = clean.replaceAll(escaped, `[${name}]`);
      }
      return clean;
    },
  };
}
