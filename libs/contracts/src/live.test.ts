import { expect, it } from 'vitest';
import { LiveMessage } from './live.ts';

const token = { type: 'token', run: 'r', callId: 'c', attempt: 1, text: 'x' };

it('kinds of a later version are passed over, and what is wrong in a known one is not', () => {
  const later = { type: 'hologram', run: 'r' };
  expect(LiveMessage.parse({ v: 1, events: [later, token] }).events).toEqual([token]);
  expect(LiveMessage.safeParse({ v: 1, events: [{ ...token, attempt: 'one' }] }).success).toBe(false);
  expect(LiveMessage.safeParse({ v: 1, events: 'none' }).success).toBe(false);
});
