/** Masking: what is found, that it comes back, and that it does so however a stream is cut. */
import { ChatRequest } from '@tutti/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { maskRequest } from './mask.ts';
import { type FindRules, isCard, isIban, PII_KINDS } from './pii.ts';

const all: FindRules = { kinds: new Set(PII_KINDS), names: [], patterns: [] };
const request = (...texts: string[]) =>
  ChatRequest.parse({ messages: texts.map((content) => ({ role: 'user', content })), now: '2026-11-26T12:00:00Z' });
const masked = (text: string, rules: Partial<FindRules> = {}) =>
  maskRequest(request(text), { ...all, ...rules }).request.messages[0]!.content;

describe('what is found', () => {
  it.each([
    ['Write to kim.weber+trip@example.co.uk.', 'Write to <EMAIL_1>.'],
    ['Call +49 30 901820 or (030) 90 18 20 now', 'Call <PHONE_1> or <PHONE_2> now'],
    ['US: 415-555-0134', 'US: <PHONE_1>'],
    ['IBAN DE89 3704 0044 0532 0130 00, thanks', 'IBAN <IBAN_1>, thanks'],
    ['card 4111 1111 1111 1111 ok', 'card <CARD_1> ok'],
    ['My name is Kim Weber. Weber with one b.', 'My name is <NAME_1>. <NAME_2> with one b.'],
    [
      '{"passengerName":"Kim Weber","hotelName":"Lantern Inn"}',
      '{"passengerName":"<NAME_1>","hotelName":"Lantern Inn"}',
    ],
    ['a@b.de and c@d.de and a@b.de', '<EMAIL_1> and <EMAIL_2> and <EMAIL_1>'],
  ])('%s', (text, expected) => expect(masked(text)).toBe(expected));

  it.each([
    'On 2026-11-26 at 12:30, from 12 to 16 May 2027 for EUR 1,400.50',
    'The order 1234567890123456 and the id bk_c42c0d18fc4a410d8374',
    'DE00 3704 0044 0532 0130 00 has wrong check digits',
    '12/05/2027 - 16/05/2027, 3.14159265358, version 10.20.30.40',
    'run_01jd4tz7k2e8t9vj3m5n6p7q8r took 1500 ms; 100000 to 200000 rows',
  ])('not: %s', (text) => expect(masked(text)).toBe(text));

  it('checksums', () => {
    expect([isIban('GB82 WEST 1234 5698 7654 32'), isIban('GB82WEST12345698765433')]).toEqual([true, false]);
    expect([isCard('5500 0055 5555 5559'), isCard('5500 0055 5555 5558')]).toEqual([true, false]);
  });

  it('names and patterns of the bundle', () => {
    expect(
      masked('Ask Ann Lee about C-123456', {
        names: ['Ann Lee'],
        patterns: [{ word: 'CASE', pattern: /\bC-\d{6}\b/g }],
      }),
    ).toBe('Ask <NAME_1> about <CASE_1>');
  });

  it.each([
    'key sk-proj-abcdefghijklmnopqrstuvwx1234',
    'token: ghp_abcdefghijklmnopqrstuvwxyz0123456789',
    'AKIAIOSFODNN7EXAMPLE',
    'password = hunter2hunter2',
    '-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----',
  ])('secrets go for good: %s', (text) => {
    const { request: out, restore, counts } = maskRequest(request(text), { kinds: new Set(), names: [], patterns: [] });
    const content = out.messages[0]!.content!;
    expect(content).toContain('<SECRET>');
    expect(counts).toEqual({ SECRET: 1 });
    expect(restore.text(content)).toBe(content);
  });
});

describe('the way back', () => {
  const { request: out, restore } = maskRequest(request('I am at kim@example.com; call +49 30 901820'), all);

  it('in text, in arguments, in small letters', () => {
    expect(out.messages[0]!.content).toBe('I am at <EMAIL_1>; call <PHONE_1>');
    expect(restore.text('Mail <EMAIL_1> or <email_1>, not <EMAIL_2>')).toBe(
      'Mail kim@example.com or kim@example.com, not <EMAIL_2>',
    );
    expect(restore.value({ to: ['<EMAIL_1>'], n: 1, deep: { phone: 'tel:<PHONE_1>' } })).toEqual({
      to: ['kim@example.com'],
      n: 1,
      deep: { phone: 'tel:+49 30 901820' },
    });
  });

  it('in a stream, wherever it is cut', () => {
    const text = 'a < b, <EMAIL_1> and <PHONE_1>; <b>bold</b> <EMAIL_9> <EMAIL_';
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 80 }), (sizes) => {
        let shown = '';
        const stream = restore.stream((piece) => {
          shown += piece;
          expect(piece).not.toMatch(/<(EMAIL|PHONE)_1>/);
        });
        let at = 0;
        for (let i = 0; at < text.length; i++) {
          const size = sizes[i % sizes.length]!;
          stream.push(text.slice(at, at + size));
          at += size;
        }
        stream.end();
        expect(shown).toBe(restore.text(text));
      }),
    );
  });

  it('a placeholder that a user wrote stays the user’s', () => {
    const { request: mine, restore: back } = maskRequest(request('<EMAIL_1> is not kim@example.com'), all);
    expect(mine.messages[0]!.content).toBe('<EMAIL_1> is not <EMAIL_2>');
    expect(back.text('<EMAIL_1>, <EMAIL_2>')).toBe('<EMAIL_1>, kim@example.com');
  });

  it('the same conversation is masked the same way, one turn longer', () => {
    const one = maskRequest(request('a@b.de', 'c@d.de'), all).request.messages;
    const two = maskRequest(request('a@b.de', 'c@d.de', 'e@f.de a@b.de'), all).request.messages;
    expect(two.slice(0, 2)).toEqual(one);
    expect(two[2]!.content).toBe('<EMAIL_3> <EMAIL_1>');
  });
});
