/** Labels: joining is a lattice's join whatever comes together, and what flows where. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  collectionLabel,
  confidentialityOf,
  Integrity,
  isMoreTrusted,
  joinLabels,
  LABEL_NAMES_MAX,
  type Label,
  labelFrom,
  mayFlow,
  PASSAGE_LABEL,
  SYSTEM_LABEL,
  USER_LABEL,
} from './labels.ts';

const names = fc.array(fc.constantFrom('public', 'internal', 'secret', 'hr', 'legal', 'm-and-a'), { maxLength: 6 });
const labels: fc.Arbitrary<Label> = fc.record({
  integrity: fc.constantFrom(...Integrity.options),
  confidentiality: names.map(confidentialityOf),
});

describe('joining labels', () => {
  it('is associative, commutative and idempotent, with system and public as its least', () => {
    fc.assert(
      fc.property(labels, labels, labels, (a, b, c) => {
        expect(joinLabels(a, joinLabels(b, c))).toEqual(joinLabels(joinLabels(a, b), c));
        expect(joinLabels(a, b)).toEqual(joinLabels(b, a));
        expect(joinLabels(a, a)).toEqual(a);
        expect(joinLabels(SYSTEM_LABEL, a)).toEqual(a);
      }),
    );
  });
  it('never makes anything more trusted, nor lets it go where a part of it may not', () => {
    fc.assert(
      fc.property(labels, labels, names, (a, b, cleared) => {
        const both = joinLabels(a, b);
        expect(isMoreTrusted(both.integrity, a.integrity) || isMoreTrusted(both.integrity, b.integrity)).toBe(false);
        const clearance = confidentialityOf(cleared);
        const parts = mayFlow(a.confidentiality, clearance) && mayFlow(b.confidentiality, clearance);
        expect(mayFlow(both.confidentiality, clearance)).toBe(parts);
      }),
    );
  });
  it('gives back the very same label where nothing is added: the usual case costs nothing', () => {
    const label = joinLabels(USER_LABEL, { integrity: 'untrusted', confidentiality: ['secret', 'hr'] });
    expect(joinLabels(label, { integrity: 'user', confidentiality: ['internal', 'hr'] })).toBe(label);
  });
  it('keeps within its bounds by becoming secret', () => {
    const many = Array.from({ length: LABEL_NAMES_MAX + 5 }, (_, i) => `own-${i}`);
    const confidentiality = confidentialityOf(many);
    expect(confidentiality).toHaveLength(LABEL_NAMES_MAX + 1);
    expect(confidentiality[0]).toBe('secret');
    expect(mayFlow(confidentiality, many)).toBe(false);
  });
});

it('what is declared wins, and where it is silent the default stays', () => {
  expect(labelFrom(undefined, USER_LABEL)).toBe(USER_LABEL);
  expect(labelFrom({ confidentiality: ['secret', 'internal', 'public'] }, USER_LABEL)).toEqual({
    integrity: 'user',
    confidentiality: ['secret'],
  });
  const collections = { mails: { labels: { confidentiality: 'public' } } };
  expect(collectionLabel(collections, 'mails')).toEqual({ integrity: 'untrusted', confidentiality: [] });
  for (const name of ['others', 'constructor', undefined])
    expect(collectionLabel(collections, name)).toBe(PASSAGE_LABEL);
});

it('secret clearance is enough for internal, nothing but a name of its own is for that name', () => {
  expect(mayFlow(['internal'], ['secret'])).toBe(true);
  expect(mayFlow(['secret'], ['internal'])).toBe(false);
  expect(mayFlow(['hr'], ['secret'])).toBe(false);
  expect(mayFlow(['hr', 'internal'], ['hr', 'internal'])).toBe(true);
  expect(mayFlow([], [])).toBe(true);
  expect(mayFlow(['hr', 'secret'], 'all')).toBe(true);
});
