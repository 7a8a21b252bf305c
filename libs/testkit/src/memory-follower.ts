/** One follower of a memory server's stream: in order, each message at least once, across lost connections, until stopped. */
import type { Follower, StoredMessage } from '@tutti/runtime';
import type { Connection, MemoryServer } from './memory-server.ts';
import type { Matcher, MemoryStream } from './memory-store.ts';

/** After which a follower that heard nothing asks anew. */
const SILENCE_MS = 7_000;

export interface MemoryFollowerOptions {
  server: MemoryServer;
  connection: Connection;
  stream: MemoryStream;
  matches: Matcher;
  fromSequence: number;
  handler(message: StoredMessage): void | Promise<void>;
  failed(error: unknown): void;
}

export class MemoryFollower implements Follower {
  readonly caughtUp: Promise<void>;
  readonly #options: MemoryFollowerOptions;
  #next: number;
  #generation = 0;
  #stopped = false;
  #busy = false;
  #reopening = false;
  readonly #queue: StoredMessage[] = [];
  #detach = () => {};
  #target: number | undefined;
  #resolveCaughtUp = () => {};

  constructor(options: MemoryFollowerOptions) {
    this.#options = options;
    this.#next = Math.max(1, options.fromSequence);
    this.caughtUp = new Promise((resolve) => {
      this.#resolveCaughtUp = resolve;
    });
  }

  get pending(): number {
    return this.#queue.length;
  }

  /** At the server. */
  attach(): void {
    this.#detach();
    const { server, stream, matches, connection } = this.#options;
    if (this.#stopped || !connection.process.alive) return;
    const generation = ++this.#generation;
    const connected = connection.generation;
    const backlog = stream.range(matches, this.#next);
    this.#target ??= backlog.at(-1)?.sequence ?? 0;
    this.#detach = server.follow({
      stream,
      matches,
      // What belonged to a connection goes with it.
      send: (message) => (connection.generation === connected ? this.#send(message, generation) : this.#detach()),
    });
    for (const message of backlog) this.#send(message, generation);
    server.toClient(connection, () => this.#handled(this.#next - 1));
  }

  #send(message: StoredMessage, generation: number): void {
    const { server, connection } = this.#options;
    if (!connection.process.alive) return this.#detach();
    const fate = server.faults.follow(message.subject);
    if (fate === 'stalled') return this.#stall();
    for (let copies = fate === 'repeated' ? 2 : 1; copies > 0; copies--)
      server.toClient(connection, () => {
        if (generation === this.#generation) this.#take(message);
      });
  }

  /** A delivery was lost: what follows it is not taken, until the silence is noticed. */
  #stall(): void {
    this.#detach();
    this.#generation++;
    const { server, connection } = this.#options;
    server.time.after(server.time.random.between(0, SILENCE_MS), () => this.reopen(), connection.process);
  }

  reopen(): void {
    if (this.#stopped) return;
    if (this.#busy) {
      this.#reopening = true;
      return;
    }
    const { server, connection } = this.#options;
    this.#generation++;
    server.up(connection, () => this.attach());
  }

  #take(message: StoredMessage): void {
    this.#queue.push(message);
    this.#drain();
  }

  /** What comes behind an asynchronous handler waits its turn. */
  #drain(): void {
    while (!this.#busy && !this.#stopped) {
      const message = this.#queue.shift();
      if (!message) break;
      const result = this.#safely(message);
      if (!(result instanceof Promise)) {
        this.#handled(message.sequence);
        continue;
      }
      this.#busy = true;
      void result.then(() => {
        this.#busy = false;
        this.#handled(message.sequence);
        this.#drain();
      });
    }
    if (this.#busy || !this.#reopening) return;
    this.#reopening = false;
    this.reopen();
  }

  #safely(message: StoredMessage): void | Promise<void> {
    try {
      const result = this.#options.handler(message);
      return result instanceof Promise ? result.catch(this.#options.failed) : result;
    } catch (error) {
      this.#options.failed(error);
    }
  }

  #handled(sequence: number): void {
    this.#next = Math.max(this.#next, sequence + 1);
    if (this.#target !== undefined && this.#next > this.#target) this.#resolveCaughtUp();
  }

  stop(): void {
    this.#stopped = true;
    this.#detach();
    this.#resolveCaughtUp();
  }
}
