/**
 * How the gateway tells a run something. Guarantee: when `write` resolves the message is stored, once, whatever had to be
 * repeated. It rejects with `unavailable` when that is not known; the same message with the same id may be written again.
 */
import type { InboundMessage } from '@tutti/contracts';

export interface InboundWriter {
  write(message: InboundMessage, messageId: string): Promise<void>;
}
