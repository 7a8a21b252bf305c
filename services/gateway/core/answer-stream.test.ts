import { describe, expect, it } from 'vitest';
import { AnswerStream } from './answer-stream.ts';

function streamed(script: (answer: AnswerStream, say: (text: string) => void) => void) {
  const answer = new AnswerStream();
  const said: string[] = [];
  script(answer, (text) => void said.push(text));
  return { answer, text: said.join('') };
}
const token = (text: string, attempt = 1, callId = 'c1') => ({ callId, attempt, text });

describe('AnswerStream', () => {
  it('passes tokens on as they come and adds what was not streamed', () => {
    const { text } = streamed((answer, say) => {
      say(answer.requested('c1', true));
      say(answer.token(token('Hel')));
      say(answer.token(token('lo')));
      say(answer.answered('c1', 'Hello there', false));
      say(answer.finish('Hello there')!);
    });
    expect(text).toBe('Hello there');
  });

  it('gives the whole output when no token came', () => {
    expect(new AnswerStream().finish('All of it')).toBe('All of it');
  });

  it('keeps tokens that come before their call is announced, and never shows a plan', () => {
    const { text } = streamed((answer, say) => {
      say(answer.token(token('{"tasks":[]}', 1, 'plan')));
      say(answer.token(token('Hi')));
      say(answer.requested('plan', false));
      say(answer.requested('c1', true));
    });
    expect(text).toBe('Hi');
  });

  it('follows a new attempt as long as it says the same', () => {
    const { text, answer } = streamed((stream, say) => {
      say(stream.requested('c1', true));
      say(stream.token(token('Hello wor')));
      say(stream.token(token('Hel', 2)));
      say(stream.token(token('lo world', 2)));
      say(stream.token(token('late', 1)));
      say(stream.finish('Hello world')!);
    });
    expect(answer.broken).toBe(false);
    expect(text).toBe('Hello world');
  });

  it('breaks rather than splice two attempts', () => {
    const { text, answer } = streamed((stream, say) => {
      say(stream.requested('c1', true));
      say(stream.token(token('Hello')));
      say(stream.token(token('Good day', 2)));
    });
    expect(text).toBe('Hello');
    expect(answer.broken).toBe(true);
    expect(answer.finish('Good day')).toBeNull();
  });

  it('breaks when the journal has another answer than was streamed: a token was lost', () => {
    const { answer } = streamed((stream, say) => {
      say(stream.requested('c1', true));
      say(stream.token(token('Hlo')));
      say(stream.answered('c1', 'Hello', false));
    });
    expect(answer.broken).toBe(true);
  });

  it('keeps what was said before a tool call as a paragraph of its own', () => {
    const { text } = streamed((answer, say) => {
      say(answer.requested('c1', true));
      say(answer.token(token('Let me look.')));
      say(answer.answered('c1', 'Let me look.', true));
      say(answer.requested('c2', true));
      say(answer.token(token('It is ', 1, 'c2')));
      say(answer.answered('c2', 'It is open.', false));
      say(answer.finish('It is open.')!);
    });
    expect(text).toBe('Let me look.\n\nIt is open.');
  });

  it('adds an answer that was not streamed after such a paragraph', () => {
    const { text } = streamed((answer, say) => {
      say(answer.requested('c1', true));
      say(answer.token(token('Let me look.')));
      say(answer.answered('c1', 'Let me look.', true));
      say(answer.finish('It is open.')!);
    });
    expect(text).toBe('Let me look.\n\nIt is open.');
  });
});
