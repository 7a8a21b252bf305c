/**
 * Security schemes of an OpenAPI document, filled with what the bundle's `auth` refers to. Owns: credentials go where the
 * scheme says and nowhere else, and only to operations that ask for them.
 */
import { TuttiError } from '@tutti/contracts';
import type { Placeholders } from '../../core/placeholders.ts';
import { readSecurity } from './operations.ts';
import { type Data, isData, resolve } from './references.ts';

export interface Credentials {
  headers: [string, string][];
  query: [string, string][];
  cookies: [string, string][];
}

export interface Security {
  /** What a call of an operation with these needs carries. */
  of(needs: string[][] | undefined): Credentials;
  /** Names in `auth` that the document does not know, and schemes that cannot be filled. */
  problems: string[];
}

export function readSecuritySchemes(
  document: Data,
  auth: Record<string, string>,
  placeholders: Placeholders,
): Security {
  const components = isData(document.components) ? document.components : {};
  const schemes = isData(components.securitySchemes) ? components.securitySchemes : {};
  const problems = Object.keys(auth)
    .filter((name) => !Object.hasOwn(schemes, name))
    .map((name) => `\`auth\` speaks of "${name}", and the document has no such security scheme`);
  const usual = readSecurity(document.security);
  return {
    problems,
    of(needs) {
      const alternatives = needs ?? usual;
      // Nothing is said of who needs what: what the bundle gives is for all.
      const chosen = alternatives
        ? alternatives.find((names) => names.every((name) => Object.hasOwn(auth, name)))
        : Object.keys(auth);
      const credentials: Credentials = { headers: [], query: [], cookies: [] };
      for (const name of chosen ?? []) {
        const scheme = resolve(document, schemes[name]);
        if (scheme) place(scheme, name, placeholders.fill(auth[name]!), credentials);
      }
      return credentials;
    },
  };
}

function place(scheme: Data, name: string, value: string, to: Credentials): void {
  const type = String(scheme.type);
  if (type === 'apiKey') {
    const where = { header: to.headers, query: to.query, cookie: to.cookies }[String(scheme.in)];
    if (where && typeof scheme.name === 'string') return void where.push([scheme.name, value]);
  }
  if (type === 'http' && /^basic$/i.test(String(scheme.scheme)))
    return void to.headers.push(['authorization', `Basic ${Buffer.from(value).toString('base64')}`]);
  if (type === 'http' && /^bearer$/i.test(String(scheme.scheme)))
    return void to.headers.push(['authorization', `Bearer ${value}`]);
  if (type === 'oauth2' || type === 'openIdConnect') return void to.headers.push(['authorization', `Bearer ${value}`]);
  throw new TuttiError('bundle_invalid', `the security scheme "${name}" (${type}) cannot be filled; use \`headers\``);
}
