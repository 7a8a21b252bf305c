/**
 * Follows the log from where the store stands and hands it to the projector.
 * Every replica follows and projects all of it: writes are idempotent, so nobody has to be elected.
 * Invariant: the message at the stored position is read again first; when it is another one than was projected, the
 * stream was made anew (or lost its tail with the machine's power), and all of it is followed from its beginning.
 */
import type { StreamSpec } from '@tutti/contracts';
import type { Bus, Follower, Logger, StoredMessage } from '@tutti/runtime';
import type { Position } from './core/group.ts';
import type { MemoryStore } from './ports/store.ts';
import type { Projector } from './projector.ts';

const ALL = '>';

export interface LogFollower {
  /** Resolves when all that was in the log at the start is stored. */
  caughtUp: Promise<void>;
  stop(): void;
}

/** `stream`: one of those that the log is spread over (`logStreams`). */
export async function followLog(options: {
  bus: Bus;
  stream: StreamSpec;
  store: MemoryStore;
  projector: Projector;
  log: Logger;
}): Promise<LogFollower> {
  const { bus, stream, store, projector, log } = options;
  const stored = await store.position(stream.name);
  const newest = stored && (await bus.last(stream.name, ALL));
  const known = stored && newest && newest.sequence >= stored.sequence ? stored : null;
  if (stored && newest && !known) warnAnew(log, stream.name, stored);
  const followed = await openFollower(bus, stream, projector, known);
  if (!followed.other) return withCaughtUp(followed.follower, projector);
  followed.follower.stop();
  warnAnew(log, stream.name, stored!);
  return withCaughtUp((await openFollower(bus, stream, projector, null)).follower, projector);
}

/** `from` null: from the beginning. `other`: what stands at `from` is not what was projected; nothing was taken then. */
async function openFollower(
  bus: Bus,
  stream: StreamSpec,
  projector: Projector,
  from: Position | null,
): Promise<{ follower: Follower; other: boolean }> {
  const first = Promise.withResolvers<boolean>();
  let other: boolean | undefined;
  const follower = await bus.follow(stream.name, stream.subjects, from?.sequence ?? 1, (message) => {
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

function warnAnew(log: Logger, stream: string, stored: Position): void {
  log.warn(
    { stream, stored },
    'the log is not the one that was projected up to here; it is projected from its beginning',
  );
}

function withCaughtUp(follower: Follower, projector: Projector): LogFollower {
  return {
    caughtUp: follower.caughtUp.then(() => projector.flushed()),
    stop: () => follower.stop(),
  };
}
