// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are placeholders of tool sources.

import { fitsAny } from '@tutti/contracts';
import { describe, expect, it } from 'vitest';
import { createPlaceholders } from './placeholders.ts';
import { foundIn, probeArguments } from './probe.ts';
import { cutResult, toolName } from './text.ts';

describe('placeholders', () => {
  const fresh = () => createPlaceholders('s', { TOKEN: 'a-long-secret', URL: 'http://127.0.0.1:1', PIN: '12' });
  it('that the operator holds an address in grant that origin, and nothing that a bundle adds to it', () => {
    const placeholders = fresh();
    expect(placeholders.operatorOrigin('${URL}/v1/${TOKEN}')).toBe('http://127.0.0.1:1');
    for (const template of [
      'http://127.0.0.1:1/',
      '${URL}2/',
      '${URL}@evil.example/',
      '${TOKEN}/',
      '${NONE}/',
      '/${URL}',
    ])
      expect(placeholders.operatorOrigin(template), template).toBeUndefined();
  });
  it('hide what is learnt later, too', () => {
    const placeholders = fresh();
    placeholders.hide('token-of-the-day', 'access token');
    expect(placeholders.redact('it is token-of-the-day')).toBe('it is [access token]');
  });
  it('are filled, and taken out of every text', () => {
    const placeholders = fresh();
    expect(placeholders.fill('Bearer ${TOKEN}!')).toBe('Bearer a-long-secret!');
    expect(placeholders.redact('it said a-long-secret twice: a-long-secret')).toBe('it said [TOKEN] twice: [TOKEN]');
  });
  it('an address is no secret, a key behind it is', () => {
    const placeholders = fresh();
    expect(placeholders.fillAddress('${URL}/v1?key=${TOKEN}')).toBe('http://127.0.0.1:1/v1?key=a-long-secret');
    expect(placeholders.redact('http://127.0.0.1:1/x a-long-secret')).toBe('http://127.0.0.1:1/x [TOKEN]');
  });
  it('what is too short to be told from chance stays', () => {
    const placeholders = fresh();
    placeholders.fill('${PIN}');
    expect(placeholders.redact('12 items')).toBe('12 items');
  });
  it('a missing one is named, also when it is called like something of Object', () => {
    expect(() => fresh().fill('${NO}')).toThrow('set TUTTI_VAR_NO for the tools service');
    expect(() => fresh().fill('${constructor}')).toThrow('TUTTI_VAR_constructor');
  });
});

describe('probe', () => {
  const probe = {
    tool: 'find',
    arguments: { key: '$idempotencyKey', city: '$arguments.trip.city' },
    foundAt: 'data.booking',
  };
  it('takes its arguments from the call', () => {
    const call = { idempotencyKey: 'k', arguments: { trip: { city: 'Tokyo' } } };
    expect(probeArguments(probe, call)).toEqual({ key: 'k', city: 'Tokyo' });
    expect(probeArguments(probe, { ...call, arguments: {} })).toBeUndefined();
  });
  it.each([
    [{ data: { booking: { id: 1 } } }, { id: 1 }],
    [{ data: { booking: 'B1' } }, 'B1'],
    [{ data: { booking: [] } }, undefined],
    [{ data: { booking: {} } }, undefined],
    [{ data: { booking: null } }, undefined],
    [{ data: { booking: false } }, undefined],
    [{ data: {} }, undefined],
    [[], undefined],
    [null, undefined],
  ])('reads %o', (data, found) => expect(foundIn(probe, data)).toEqual(found));
  it('"$" is the whole answer', () => {
    expect(foundIn({ ...probe, foundAt: '$' }, [1])).toEqual([1]);
    expect(foundIn({ ...probe, foundAt: '$' }, [])).toBeUndefined();
    expect(foundIn({ ...probe, foundAt: '$.a' }, { a: 1 })).toBe(1);
  });
});

describe('names and results', () => {
  it('patterns', () => {
    expect(fitsAny('searchFlights', ['search*'])).toBe(true);
    expect(fitsAny('searchFlights', ['search'])).toBe(false);
    expect(fitsAny('anything', ['*'])).toBe(true);
    expect(fitsAny('anything', [])).toBe(false);
  });
  it('names are cleaned, and refused when too long', () => {
    expect(toolName('x_', 'add.entry/2')).toBe('x_add_entry_2');
    expect(toolName('', 'y'.repeat(64))).toBe('y'.repeat(64));
    const long = [toolName('', `${'y'.repeat(70)}a`), toolName('', `${'y'.repeat(70)}b`)];
    expect(long[0]).toMatch(/^y{55}_[0-9a-f]{8}$/);
    expect(long[0]).not.toBe(long[1]);
    expect(toolName('', '')).toBeUndefined();
  });
  it('a cut never splits a character, and counts what is missing', () => {
    const cut = cutResult('😀'.repeat(500), 301);
    expect(cut.length).toBeLessThanOrEqual(301);
    expect(cut).not.toMatch(/[\ud800-\udbff](?![\udc00-\udfff])/);
    expect(cut).toMatch(/\[Cut: \d+ of 1000 characters/);
    expect(cutResult('short', 301)).toBe('short');
  });
});
