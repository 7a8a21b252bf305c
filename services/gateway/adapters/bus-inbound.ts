/** Stores inbound messages. An append whose outcome is unknown is repeated with the same message id, which the stream recognises. */
import { InboundMessage, subjects, TuttiError } from '@tutti/contracts';
import { type Bus, BusUnknown } from '@tutti/runtime';
import type { InboundWriter } from '../ports/inbound-writer.ts';
import type { Partitions } from '../ports/partitions.ts';

/** Room for subject and headers beside the payload. */
const HEADER_BYTES = 1_024;
const bytes = new TextEncoder();

export interface AppendLimits {
  appendTimeoutMs: number;
  appendTriesMax: number;
}

export function createInboundWriter(bus: Bus, partitions: Partitions, limits: AppendLimits): InboundWriter {
  return {
    async write(message, messageId) {
      const { tenant, session, run } = InboundMessage.parse(message);
      const subject = subjects.inbound(partitions.of(run), tenant, session, run);
      await appendSurely(bus, subject, bytes.encode(JSON.stringify(message)), messageId, limits);
    },
  };
}

/** Appends until it is acknowledged. Throws `payload_too_large`, or `unavailable` when the tries are used up. */
export async function appendSurely(
  bus: Bus,
  subject: string,
  data: Uint8Array,
  messageId: string,
  limits: AppendLimits,
): Promise<number> {
  const bytesMax = bus.payloadBytesMax - HEADER_BYTES;
  if (data.length > bytesMax)
    throw new TuttiError(
      'payload_too_large',
      `this has ${data.length} bytes; the bus takes ${bytesMax} in one message`,
    );
  for (let attempt = 1; ; attempt++) {
    try {
      return await bus.append(subject, data, { messageId, timeoutMs: limits.appendTimeoutMs });
    } catch (error) {
      const mayRepeat = error instanceof BusUnknown || (error instanceof TuttiError && error.retryable);
      if (!mayRepeat) throw error;
      if (attempt < limits.appendTriesMax) continue;
      throw new TuttiError(
        'unavailable',
        `the bus did not confirm this after ${attempt} tries: ${(error as Error).message}. It may have been stored all the same; with an Idempotency-Key it is safe to send again`,
        { cause: error },
      );
    }
  }
}
