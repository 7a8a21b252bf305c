/** How a dead letter goes to the bus. Invariant: whatever it is about, it fits, so that what is too large stops nobody. */
import { type DeadLetter, subjects } from '@tutti/contracts';
import type { Bus } from '@tutti/runtime';
import { PLANNER_LIMITS } from '../config.ts';

/** A message's headers count, too. */
const HEADER_BYTES = 1_024;
const bytes = new TextEncoder();

/** Stored once, whoever tries it how often within the stream's memory of ids. */
export function storeDeadLetter(bus: Bus, letter: DeadLetter, messageId: string): Promise<number> {
  return bus.append(subjects.dead('planner'), encode(letter, bus.payloadBytesMax - HEADER_BYTES), { messageId });
}

/** Of what does not fit as much is kept as tells a person what it was; it cannot be sent again. */
function encode(letter: DeadLetter, bytesMax: number): Uint8Array {
  const whole = bytes.encode(JSON.stringify(letter));
  if (whole.length <= bytesMax) return whole;
  const text = typeof letter.payload === 'string' ? letter.payload : JSON.stringify(letter.payload);
  return bytes.encode(
    JSON.stringify({
      ...letter,
      reason: `${letter.reason} (too large to be kept whole: ${text.length} characters)`,
      payload: text.slice(0, PLANNER_LIMITS.deadLetterCharsMax),
    }),
  );
}
