/** Asks the owner of a partition. Nobody there, or no answer in time, is an answer too: null. */
import { OwnerReply, type OwnerRequest, subjects, TuttiError } from '@tutti/contracts';
import type { Bus, Logger } from '@tutti/runtime';
import type { Partitions } from '../ports/partitions.ts';

const bytes = new TextEncoder();
const text = new TextDecoder();

export interface Owner {
  /** `id` leads to the partition. */
  ask(id: string, request: OwnerRequest): Promise<OwnerReply | null>;
  askPartition(partition: number, request: OwnerRequest): Promise<OwnerReply | null>;
}

export function createOwner(bus: Bus, partitions: Partitions, log: Logger, timeoutMs: number): Owner {
  return {
    ask: (id, request) => askPartition(partitions.of(id), request),
    askPartition,
  };

  async function askPartition(partition: number, request: OwnerRequest): Promise<OwnerReply | null> {
    const subject = subjects.owner(partition);
    try {
      const reply = await bus.request(subject, bytes.encode(JSON.stringify(request)), timeoutMs);
      return OwnerReply.parse(JSON.parse(text.decode(reply)));
    } catch (error) {
      const gone = error instanceof TuttiError && error.retryable;
      if (gone) log.debug({ subject, error: error.message }, 'no owner answers');
      else log.error({ subject, error }, 'the owner’s answer cannot be used');
      return null;
    }
  }
}
