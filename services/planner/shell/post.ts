/** Brings a letter to the bus: to another run's inbound, or to the dead letters. Tried until it is stored; receivers know repeats. */
import { partitionOf, subjects } from '@tutti/contracts';
import type { Bus, Clock, Logger } from '@tutti/runtime';
import { PLANNER_LIMITS } from '../config.ts';
import type { Letter } from '../core/state.ts';
import { storeDeadLetter } from './dead-letters.ts';

const bytes = new TextEncoder();

/** True when it is stored; false when given up because the partition is no longer ours. */
export async function deliver(
  { bus, clock, log }: { bus: Bus; clock: Clock; log: Logger },
  partitions: number,
  letter: Letter,
  closed: () => boolean,
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
      await clock.sleep(waitMs);
    }
  }
  return false;
}

function send(bus: Bus, partitions: number, letter: Letter): Promise<number> {
  if (letter.kind === 'dead') return storeDeadLetter(bus, letter.letter, letter.key);
  const { message } = letter;
  const target = subjects.inbound(
    partitionOf(message.session, partitions),
    message.tenant,
    message.session,
    message.run,
  );
  return bus.append(target, bytes.encode(JSON.stringify(message)), { messageId: letter.key });
}
