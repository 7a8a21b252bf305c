import { expect, test } from 'vitest';
import { turnOf } from '../testing/entries.ts';
import { chooseOlder, withinChars, words } from './recall.ts';

const SMALL_TALK = Array.from({ length: 40 }, (_, i) => `We spoke about the weather, part ${i}.`);

test('words fold case, accents stay, inflections go, scripts without spaces split', () => {
  expect([...words('Flights, flight FLIGHTING')]).toEqual(['fligh']);
  expect(words('東京 旅行').size).toBe(4);
});

test('the turn that answers is found far back, with its neighbours', () => {
  const texts = SMALL_TALK.with(7, 'My passport number is X123, please note it.');
  expect(chooseOlder(texts, 'What was the number of my passport?', 3)).toEqual([6, 7, 8]);
});

test('a turn whose neighbour says the rest of the question comes before one that stands alone', () => {
  const texts = SMALL_TALK.with(5, 'The hotel.').with(20, 'The hotel?').with(21, 'It is in Lisbon, near the river.');
  expect(chooseOlder(texts, 'hotel in Lisbon', 2)).toEqual([20, 21]);
});

test('nothing in common, or only what every turn has: nothing', () => {
  expect(chooseOlder(SMALL_TALK, 'passport', 6)).toEqual([]);
  expect(chooseOlder(SMALL_TALK, 'the weather', 6)).toEqual([]);
  expect(chooseOlder([], 'weather', 6)).toEqual([]);
});

test('the limit holds at the ends of a conversation too', () => {
  const texts = SMALL_TALK.with(0, 'passport').with(39, 'passport');
  expect(chooseOlder(texts, 'passport', 2)).toEqual([38, 39]);
  expect(chooseOlder(texts, 'passport', 6)).toEqual([0, 1, 38, 39]);
});

test('what is too much goes from the oldest on; the newest turn always stays', () => {
  const turns = [1, 2, 3, 4].map((at) => turnOf('ses_x', at, { input: 'x'.repeat(100) }));
  const size = JSON.stringify(turns[0]).length;
  expect(withinChars(turns.slice(0, 2), turns.slice(2), size * 3)).toEqual(turns.slice(1));
  expect(withinChars(turns.slice(0, 2), turns.slice(2), 1)).toEqual(turns.slice(3));
  expect(withinChars([], [], 1)).toEqual([]);
});
