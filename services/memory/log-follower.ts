/**
 * Follows the log from where the store stands and hands it to the projector.
 * Every replica follows and projects all of it: writes are idempotent, so nobody has to be elected.
 * Invariant: the message at the stored position is read again first; when it is another one than was projected, the
 * stream was made anew (or lost its tail with the machine's power), and all of it is followed from its beginning.
 */
import { STREAMS } from '@tutti/contracts';
import type { Bus, Follower, Logger, StoredMessage } from '@tutti/runtime';
import type { Position } from './core/group.ts';
import type { MemoryStore } from './ports/store.ts';
import type { Projector } from './projector.ts';

const SUBJECTS: string[] = [...STREAMS.log.subjects];
const STREAM = STREAMS.log.name;

export interface LogFollower {
  /** Resolves when all that was in the log at the start is stored. */
  caughtUp: Promise<void>;
  stop(): void;
}

export async function followLog(options: {
  bus: Bus;
  store: MemoryStore;
  projector: Projector;
  log: Logger;
}): Promise<LogFollower> {
  const { bus, store, projector, log } = options;
  const stored = await store.position(STREAM);
  const newest = stored && (await bus.last(STREAM, SUBJECTS[0]!));
  const known = stored && newest && newest.sequence >= stored.sequence ? stored : null;
  if (stored && newest && !known) warnAnew(log, stored);
  const followed = await openFollower(bus, projector, known);
  if (!followed.other) return withCaughtUp(followed.follower, projector);
  followed.follower.stop();
  warnAnew(log, stored!);
  return withCaughtUp((await openFollower(bus, projector, null)).follower, projector);
}

/** `from` null: from the beginning. `other`: what stands at `from` is not what was projected; nothing was taken then. */
async function openFollower(
  bus: Bus,
  projector: Projector,
  from: Position | null,
): Promise<{ follower: Follower; other: boolean }> {
  const first = Promise.withResolvers<boolean>();
  let other: boolean | undefined;
  const follower = await bus.follow(STREAM, SUBJECTS, from?.sequence ?? 1, (message) => {
    if (other === undefined) {
      other = isOther(message, from);
      first.resolve(other);
    }
    if (!other) return projector.take(message);
  });
  // Nothing there at all: the same as the same.
  void follower.caughtUp.then(() => first.resolve(false));
  return { follower, other: await first.promise };
}

function isOther(message: StoredMessage, from: Position | null): boolean {
  return from !== null && message.sequence === from.sequence && message.storedAt !== from.storedAt;
}

function warnAnew(log: Logger, stored: Position): void {
  log.warn(
    { stream: STREAM, stored },
    'the log is not the one that was projected up to here; it is projected from its beginning',
  );
}

function withCaughtUp(follower: Follower, projector: Projector): LogFollower {
  return {
    caughtUp: follower.caughtUp.then(() => projector.flushed()),
    stop: () => follower.stop(),
  };
}
