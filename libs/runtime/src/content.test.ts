/** What was said stays out of traces unless it is wanted, and secrets stay out even then. */
import { afterEach, expect, test } from 'vitest';
import { CONTENT_CHARS_MAX, captureContent, contentOf } from './content.ts';
import { createScrubber, secretsOf } from './secrets.ts';

afterEach(() => captureContent({}));
const on = { TUTTI_TRACE_CONTENT: 'true' };

test('nothing leaves where content is not switched on', () => {
  for (const value of ['said', { said: 1 }, ['said']]) expect(contentOf(value)).toBeUndefined();
  captureContent({ TUTTI_TRACE_CONTENT: 'false' });
  expect(contentOf('said')).toBeUndefined();
});

test('switched on, text and data leave as text, and what is not there does not', () => {
  captureContent(on);
  expect(contentOf('Book it')).toBe('Book it');
  expect(contentOf({ to: 'Tokyo', nights: 4 })).toBe('{"to":"Tokyo","nights":4}');
  expect([contentOf(undefined), contentOf(null)]).toEqual([undefined, undefined]);
});

test('what a name says is secret is hidden, in data and in text that is JSON, however deep', () => {
  captureContent(on);
  const data = { user: 'kim', login: { password: 'hunter2', 'api-key': 'abc', pin: 1234 }, list: [{ authToken: 'x' }] };
  const hidden =
    '{"user":"kim","login":{"password":"[redacted]","api-key":"[redacted]","pin":"[redacted]"},"list":[{"authToken":"[redacted]"}]}';
  expect(contentOf(data)).toBe(hidden);
  expect(contentOf(JSON.stringify(data))).toBe(hidden);
});

test('what looks like a credential is hidden wherever it stands', () => {
  captureContent(on);
  const jwt = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJl';
  const said = `use sk-abcdefghijklmnop12 or Bearer abc.def-123456 or ${jwt} at https://kim:geheim99@example.com/x`;
  const shown = contentOf(said)!;
  for (const secret of ['abcdefghijklmnop12', 'abc.def-123456', jwt, 'geheim99']) expect(shown).not.toContain(secret);
  expect(shown).toContain('example.com/x');
});

test('secrets of this process are hidden by their values', () => {
  captureContent({ ...on, OPENAI_API_KEY: 'plainkey-1234', MONGODB_URL: 'mongodb://u:p%40ssw0rd@db/x' });
  expect(contentOf('it said plainkey-1234 and p@ssw0rd and p%40ssw0rd')).toBe(
    'it said [redacted] and [redacted] and [redacted]',
  );
});

test('what is long is cut, and says so', () => {
  captureContent(on);
  const shown = contentOf('x'.repeat(CONTENT_CHARS_MAX + 5))!;
  expect(shown).toBe(`${'x'.repeat(CONTENT_CHARS_MAX)}… (5 more characters)`);
});

test('secrets are known by their names, passwords in URLs, and lists of keys; short words and addresses are none', () => {
  const found = secretsOf({
    TUTTI_API_KEYS: 'longkey1:acme,longkey2:other',
    TUTTI_NATS_PASSWORD: 'nats-secret',
    TUTTI_VAR_CRM_LOGIN: 'crm-value-1',
    TUTTI_VAR_FLIGHTS_URL: 'http://127.0.0.1:4000',
    OPENAI_API_KEY: 'none',
    HOME: '/home/kim',
  });
  expect(new Set(found)).toEqual(
    new Set(['longkey1:acme,longkey2:other', 'longkey1', 'longkey2', 'nats-secret', 'crm-value-1']),
  );
  const scrub = createScrubber({ A_SECRET: 'with "quotes" in' });
  expect(scrub(JSON.stringify({ said: 'with "quotes" in it' }))).toBe('{"said":"[redacted] it"}');
});
