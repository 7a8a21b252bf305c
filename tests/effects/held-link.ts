/** A link of one process to the bus on which single messages can be held up while all others pass. */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { type Frame, FrameReader } from './frames.ts';

export type Direction = 'sent' | 'received';
/** Sees every message of a link; true: it is held up until it is let go, or until the connection is gone. */
export type Watch = (link: string, direction: Direction, frame: Frame) => boolean;

export class HeldLink {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #held: { to: Socket; raw: Buffer }[] = [];
  url = '';

  constructor(name: string, target: number, watch: Watch) {
    this.#server = createServer((client) => {
      const upstream = connect(target, '127.0.0.1');
      for (const [from, to, direction] of [
        [client, upstream, 'sent'],
        [upstream, client, 'received'],
      ] as const) {
        const reader = new FrameReader();
        this.#sockets.add(from);
        from.on('error', () => {});
        from.on('close', () => {
          this.#sockets.delete(from);
          to.destroy();
        });
        from.on('data', (chunk: Buffer) => {
          for (const frame of reader.read(chunk)) {
            if (frame.subject !== '' && watch(name, direction, frame)) this.#held.push({ to, raw: frame.raw });
            else to.write(frame.raw);
          }
        });
      }
    });
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    const { port } = this.#server.address() as { port: number };
    this.url = `nats://127.0.0.1:${port}`;
    return this;
  }

  /** What was held goes on its way, where that still leads anywhere. */
  letGo(): void {
    for (const { to, raw } of this.#held) if (!to.destroyed) to.write(raw);
    this.#held = [];
  }

  /** For what a fleet does to its links; nothing here needs it. */
  async cut(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
  }
  stop(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}
