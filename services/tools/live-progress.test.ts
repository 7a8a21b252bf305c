/** What is told of a tool under way: a few words a second, the newest, and none after its end. */
import { LiveMessage } from '@tutti/contracts';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Call } from './broker/types.ts';
import { createLiveProgress, PROGRESS_CHARS_MAX, PROGRESS_EVERY_MS } from './live-progress.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function started(more: object = {}) {
  const told: { subject: string; texts: string[] }[] = [];
  const publish = (subject: string, data: Uint8Array) => {
    const { events } = LiveMessage.parse(JSON.parse(new TextDecoder().decode(data)));
    told.push({ subject, texts: events.map((event) => (event.type === 'progress' ? event.text : event.type)) });
  };
  const request = { tenant: 'acme', run: 'run_1', root: 'run_0', callId: 'call_1', ...more };
  const progress = createLiveProgress({ publish }, { request, tool: { name: 'slow' } } as unknown as Call);
  return { told, progress };
}

it('the first word at once, of what follows quickly the newest', () => {
  const { told, progress } = started();
  for (const text of ['1', '2', '3']) progress!.say(text);
  expect(told).toEqual([{ subject: 'tutti.live.acme.run_0', texts: ['1'] }]);
  vi.advanceTimersByTime(PROGRESS_EVERY_MS);
  progress!.say('4');
  vi.advanceTimersByTime(PROGRESS_EVERY_MS * 5);
  expect(told.flatMap(({ texts }) => texts)).toEqual(['1', '3', '4']);
});

it('nothing after the end, and no more than a few words', () => {
  const { told, progress } = started();
  progress!.say('x'.repeat(10_000));
  progress!.say('held back');
  progress!.end();
  progress!.say('too late');
  vi.advanceTimersByTime(PROGRESS_EVERY_MS * 5);
  expect(told.map(({ texts }) => texts[0]!.length)).toEqual([PROGRESS_CHARS_MAX]);
  expect(vi.getTimerCount()).toBe(0);
});

it('a call that nobody can watch says nothing', () => {
  expect(started({ root: undefined }).progress).toBeUndefined();
});
