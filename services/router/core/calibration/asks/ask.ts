/**
 * One ask of the set that the repository makes itself: what a model is sent, which answer is right, and how much there is
 * to think of. Invariant: `load` goes into labels alone; the features see the request, as they do at work.
 */
import type { ChatRequest } from '@tutti/contracts';
import type { Random } from '../random.ts';

export type Expected =
  /** The last number of the answer. */
  | { kind: 'number'; value: number }
  /** The answer has all of these and none of those. */
  | { kind: 'words'; all: readonly string[]; none?: readonly string[] }
  /** The answer is this line, but for case, quotes and a full stop. */
  | { kind: 'line'; text: string }
  /** These names, each once, with each of these before its partner. */
  | { kind: 'order'; names: readonly string[]; before: readonly (readonly [string, string])[] }
  | { kind: 'json'; value: unknown }
  /** Tools that are called first, in any order. */
  | { kind: 'tools'; names: readonly string[] };

export type Chat = Pick<ChatRequest, 'messages'> &
  Partial<Pick<ChatRequest, 'tools' | 'passages' | 'responseFormat' | 'facts'>>;

export interface Ask {
  chat: Chat;
  expected: Expected;
  /** Steps of thought and conditions that have to hold together; half ones for things to read past. */
  load: number;
  outputTokens: number;
}

/** Asks of one kind. Of one family in the fit, of others in the check. */
export type Family = (random: Random) => Ask;

/** What a model that thinks aloud writes. */
export function outputTokensOf(load: number): number {
  return Math.round(30 + 45 * load);
}

export function asked(content: string, expected: Expected, load: number, more: Partial<Chat> = {}): Ask {
  return {
    chat: { messages: [{ role: 'user', content }], ...more },
    expected,
    load,
    outputTokens: outputTokensOf(load),
  };
}
