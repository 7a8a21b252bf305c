/** Brings a letter to the bus: to another run's inbound, or as a message schedule. Tried until it is stored; receivers know repeats. */
import { partitionOf, subjects } from '@tutti/contracts';
import type { Bus, Logger } from '@tutti/runtime';
import { PLANNER_LIMITS } from '../config.ts';
import type { Letter } from '../core/state.ts';

const bytes = new TextEncoder();

/** True when it is stored; false when given up because the partition is no longer ours. */
export async function deliver(
  bus: Bus,
  partitions: number,
  letter: Letter,
  closed: () => boolean,
  log: Logger,
): Promise<boolean> {
  for (
    let waitMs: number = PLANNER_LIMITS.letterRetryMs;
    !closed();
    waitMs = Math.min(waitMs * 2, PLANNER_LIMITS.letterRetryMaxMs)
  ) {
    try {
      await send(bus, partitions, letter);
      return true;
    } catch (error) {
      log.warn({ key: letter.key, error: (error as Error).message }, 'a letter could not be delivered yet');
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  }
  return false;
}

function send(bus: Bus, partitions: number, letter: Letter): Promise<number> {
  const { message } = letter;
  const target = subjects.inbound(
    partitionOf(message.session, partitions),
    message.tenant,
    message.session,
    message.run,
  );
  const data = bytes.encode(JSON.stringify(message));
  if (letter.kind === 'inbound') return bus.append(target, data, { messageId: letter.key });
  const partition = partitionOf(message.run, partitions);
  return bus.append(subjects.timer(partition, letter.id), data, {
    headers: { 'Nats-Schedule': `@at ${new Date(letter.dueAt).toISOString()}`, 'Nats-Schedule-Target': target },
  });
}
