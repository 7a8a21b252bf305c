/** How people put things: greetings, asides and background that make no ask any harder, and look as if they did. */
import type { Random } from '../random.ts';

const OPENINGS = [
  'Hi there!',
  'Good morning,',
  'Quick one:',
  'Could you help me with this?',
  'I need this for a meeting.',
  'Sorry to bother you again.',
  'Hello, I hope you are well.',
];
const CLOSINGS = [
  'Thanks!',
  'Thank you so much, and have a nice day.',
  'No hurry.',
  'Keep it short, please.',
  'That is all I need for now.',
  'Just the answer, please.',
];
/** They have numbers, conditions and words of reason, and nothing that counts. */
const ASIDES = [
  'We are only 3 people in the office this week, and two of us are new.',
  'I first asked a colleague, but she did not know and then went on holiday.',
  'By the way, the coffee machine on floor 2 works again; finally.',
  'My manager will explain why this matters at the next review.',
  'It must have been 2019 or 2020 when we last looked at this.',
  'Between you and me, nobody has compared these things for at least 5 years.',
  'I know that it looks simple, unless I have missed something.',
  'We plan to analyse the whole archive later, but not today.',
  'Without this I cannot go on with my list of 14 open points.',
  'The last tool that we tried gave 7 different answers to the same question.',
];

/** The same ask, as somebody might put it. */
export function spoken(random: Random, ask: string): string {
  const parts = [ask];
  if (random.chance(0.25)) parts.unshift(...random.some(ASIDES, random.between(1, 2)));
  if (random.chance(0.4)) parts.unshift(random.pick(OPENINGS));
  if (random.chance(0.3)) parts.push(random.pick(CLOSINGS));
  return parts.join(random.chance(0.2) ? '\n' : ' ');
}

const SUBJECTS = ['The team', 'Our office in Leeds', 'The supplier', 'A visitor', 'The old contract', 'The board'];
const VERBS = ['looked at', 'asked about', 'wrote down', 'put off', 'paid for', 'came back to', 'did not mention'];
const OBJECTS = ['the second delivery', 'a new roof', 'the annual report', 'the lift', 'three used vans', 'the garden'];
const TIMES = ['in spring', 'on Monday', 'after lunch', 'two weeks ago', 'before the audit', 'for no reason'];

/** Text that says nothing of use, of about so many words. */
export function filler(random: Random, words: number): string {
  const sentences: string[] = [];
  for (let count = 0; count < words; count += 8)
    sentences.push(
      `${random.pick(SUBJECTS)} ${random.pick(VERBS)} ${random.pick(OBJECTS)} ${random.pick(TIMES)}${random.chance(0.3) ? `, for ${random.between(2, 900)} euros` : ''}.`,
    );
  return sentences.join(' ');
}

export const PEOPLE = ['Ann', 'Ben', 'Cleo', 'Dan', 'Eva', 'Finn', 'Gus', 'Hana', 'Ivo', 'Jun', 'Kim', 'Lea'];
export const THINGS = ['lamps', 'chairs', 'tickets', 'bottles', 'cables', 'books', 'boxes', 'plates'];
export const CITIES = ['Oslo', 'Lima', 'Porto', 'Osaka', 'Turin', 'Dakar', 'Quito', 'Gdansk', 'Perth', 'Tunis'];
