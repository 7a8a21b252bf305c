/**
 * Ids and routing. Ids are TypeIDs (`run_` + 26 characters of base32 over a UUIDv7), sortable and subject-safe.
 * Invariant: the last 16 bits of a run's and of an approval's id repeat those of its session, so that any of the
 * three leads to the same partition with no look-up.
 */
import { hash, randomBytes } from 'node:crypto';
import { z } from 'zod';

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const SUFFIX = '[0-7][0-9a-hjkmnp-tv-z]{25}';
const id = (prefix: string) =>
  z.string().regex(new RegExp(`^${prefix}_${SUFFIX}$`), `must be an id that starts with "${prefix}_"`);

export const RunId = id('run');
export const SessionId = id('ses');
export const CallId = z.string().regex(/^call_[0-9a-z]{26}$/);
export const ApprovalId = id('apr');
/** Tenants, collections and the like: lower-case, subject-safe. */
export const Name = z
  .string()
  .regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, 'must be 1 to 63 characters of a-z, 0-9, "_" and "-"');

/** 16 bytes to 26 characters of Crockford base32, as TypeID has it: 3 bits, then 25 times 5. */
export function encodeId(prefix: string, bytes: Uint8Array): string {
  let out = ALPHABET[bytes[0]! >> 5]!;
  let held = bytes[0]! & 31;
  let bits = 5;
  for (let i = 1; i <= 16; i++) {
    while (bits >= 5) {
      bits -= 5;
      out += ALPHABET[(held >> bits) & 31];
    }
    if (i === 16) break;
    held = ((held & ((1 << bits) - 1)) << 8) | bytes[i]!;
    bits += 8;
  }
  return `${prefix}_${out}`;
}

function uuid7(nowMs: number, random: Uint8Array): Uint8Array {
  const bytes = Uint8Array.from(random);
  let ms = nowMs;
  for (let i = 5; i >= 0; i--) {
    bytes[i] = ms % 256;
    ms = Math.floor(ms / 256);
  }
  bytes[6] = (bytes[6]! & 0x0f) | 0x70;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return bytes;
}

/** The 16 bits that lead a session, its runs and their approvals to one partition. */
export function routeOf(anyId: string): number {
  let value = 0;
  for (const char of anyId.slice(-4)) value = value * 32 + ALPHABET.indexOf(char);
  return value & 0xffff;
}

export function partitionOf(anyId: string, partitions: number): number {
  return routeOf(anyId) % partitions;
}

function withRoute(bytes: Uint8Array, route: number): Uint8Array {
  bytes[14] = route >> 8;
  bytes[15] = route & 0xff;
  return bytes;
}

/** A new session, placed by chance. `nowMs`: Unix milliseconds. */
export function newSessionId(nowMs = Date.now(), random: Uint8Array = randomBytes(16)): string {
  return encodeId('ses', uuid7(nowMs, random));
}

/** A new run of a session, in the session's partition. */
export function newRunId(session: string, nowMs = Date.now(), random: Uint8Array = randomBytes(16)): string {
  return encodeId('run', withRoute(uuid7(nowMs, random), routeOf(session)));
}

/**
 * A session for a name that the caller chose (a client's own conversation id): the same name gives the same session.
 */
export function sessionIdFor(tenant: string, name: string): string {
  return encodeId('ses', digest(`session\n${tenant}\n${name}`));
}

function digest(text: string): Uint8Array {
  const bytes: Uint8Array = hash('sha256', text, 'buffer').subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x80;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return bytes;
}

/** Ids that a planner gives are functions of what they belong to, never of chance: a new owner makes the same ones. */
export function derivedCallId(run: string, step: number | string): string {
  return encodeId('call', digest(`call\n${run}\n${step}`));
}
export function derivedApprovalId(run: string, callId: string, attempt: number): string {
  return encodeId('apr', withRoute(digest(`approval\n${run}\n${callId}\n${attempt}`), routeOf(run)));
}
export function derivedSessionId(run: string, key: string): string {
  return encodeId('ses', digest(`child-session\n${run}\n${key}`));
}
export function derivedQuestionId(run: string, n: number): string {
  return encodeId('qst', withRoute(digest(`question\n${run}\n${n}`), routeOf(run)));
}
/** A schedule's id, from its tenant and name; its partition follows from it. */
export function scheduleIdFor(tenant: string, name: string): string {
  return encodeId('sch', digest(`schedule\n${tenant}\n${name}`));
}
export function derivedRunId(session: string, run: string, key: string): string {
  return encodeId('run', withRoute(digest(`child\n${run}\n${key}`), routeOf(session)));
}
/** Content address of anything that is plain data: SHA-256 over canonical JSON (keys sorted), as hex. */
export function contentHash(value: unknown): string {
  return hash('sha256', canonicalJson(value), 'hex');
}
/** JSON with object keys sorted and `undefined` left out, so that equal data is equal text. */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null';
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  const fields = Object.entries(value as Record<string, unknown>)
    .filter(([, v]) => v !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return `{${fields.map(([k, v]) => `${JSON.stringify(k)}:${canonicalJson(v)}`).join(',')}}`;
}
