/** API keys: who a caller is. Owns the format `key:tenant[:principal[roles]]`. Keys are kept as SHA-256, never as text. */
import { contentHash, Name } from '@tutti/contracts';
import { z } from 'zod';

export interface Identity {
  tenant: string;
  principal: { id: string; roles: string[] };
}
export interface ApiKey extends Identity {
  keyHash: string;
}

export const OPEN_IDENTITY: Identity = { tenant: 'default', principal: { id: 'local', roles: [] } };
const PRINCIPAL_DEFAULT = 'api';
const KEY_CHARS_MIN = 8;
/** `ann`, or with roles for policies: `ann[lead+finance]`. */
const PRINCIPAL = /^([^[\]]*)(?:\[([^[\]+]+(?:\+[^[\]+]+)*)\])?$/;

/** A comma list as text to keys. Messages never repeat a key. */
export const ApiKeys = z.string().transform((text, context): ApiKey[] => {
  const entries = text.split(',').map((entry) => entry.trim());
  return entries.filter(Boolean).map((entry, index) => {
    const [key = '', tenant, principal, ...rest] = entry.split(':');
    const parsed = Name.safeParse(tenant);
    const who = PRINCIPAL.exec(principal ?? '');
    const problem =
      rest.length > 0 || tenant === undefined
        ? 'must be key:tenant or key:tenant:principal'
        : key.length < KEY_CHARS_MIN
          ? `has a key of fewer than ${KEY_CHARS_MIN} characters`
          : !parsed.success
            ? `has a wrong tenant: ${parsed.error.issues[0]?.message}`
            : who
              ? undefined
              : 'has a wrong principal: it must be a name, or name[role+role]';
    if (problem) context.addIssue({ code: 'custom', message: `entry ${index + 1} ${problem}` });
    return {
      keyHash: hashKey(key),
      tenant: tenant ?? '',
      principal: { id: who?.[1] || PRINCIPAL_DEFAULT, roles: who?.[2]?.split('+') ?? [] },
    };
  });
});

export function hashKey(key: string): string {
  return contentHash(key);
}

/** `Bearer …` to who it is; undefined: nobody we know. Looking up a hash tells nothing about how much of a key was right. */
export function identify(keys: ReadonlyMap<string, ApiKey>, authorization: string | undefined): Identity | undefined {
  const key = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1];
  return key === undefined ? undefined : keys.get(hashKey(key));
}
