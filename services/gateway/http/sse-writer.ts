/**
 * Server-sent events to one client. Owns the bytes that wait for it: more than `bufferBytesMax` and the connection is
 * cut; the client resumes by Last-Event-ID. Invariant: after `end` or `cut` nothing is written.
 */
import type { ServerResponse } from 'node:http';

export interface SseEvent {
  id?: string;
  event?: string;
  data: unknown;
}

export interface SseLimits {
  heartbeatMs: number;
  bufferBytesMax: number;
}

export class SseWriter {
  readonly #response: ServerResponse;
  readonly #limits: SseLimits;
  readonly #heartbeat: NodeJS.Timeout;
  #open = true;
  /** Who waits for the client to take what was written. */
  #waiting: (() => void)[] = [];

  constructor(response: ServerResponse, headers: Record<string, unknown>, limits: SseLimits) {
    this.#response = response;
    this.#limits = limits;
    response.writeHead(200, {
      ...(headers as Record<string, string>),
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      connection: 'keep-alive',
      // Proxies that buffer would turn a stream into one late answer.
      'x-accel-buffering': 'no',
    });
    response.on('drain', () => this.#release());
    response.on('close', () => this.#close());
    // A heartbeat behind bytes that nobody takes would say nothing.
    this.#heartbeat = setInterval(() => {
      if (response.writableLength === 0) this.#write(': still here\n\n');
    }, limits.heartbeatMs);
    response.flushHeaders();
  }

  get open(): boolean {
    return this.#open;
  }

  /** The client has not taken what was written. */
  get backedUp(): boolean {
    return this.#open && this.#response.writableNeedDrain;
  }

  send({ id, event, data }: SseEvent): void {
    const body = typeof data === 'string' ? data : JSON.stringify(data);
    this.#write(`${id === undefined ? '' : `id: ${id}\n`}${event ? `event: ${event}\n` : ''}data: ${body}\n\n`);
  }

  /** How soon the client may come back after the stream is closed. */
  retry(retryMs: number): void {
    this.#write(`retry: ${retryMs}\n\n`);
  }

  /** Resolves when the client has taken most of what was written, or is gone. */
  async drained(): Promise<void> {
    if (!this.backedUp) return;
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  end(): void {
    if (!this.#open) return;
    this.#close();
    this.#response.end();
  }

  /** Gives up a client that does not read. */
  cut(): void {
    this.#close();
    this.#response.destroy();
  }

  #write(text: string): void {
    if (!this.#open) return;
    this.#response.write(text);
    if (this.#response.writableLength > this.#limits.bufferBytesMax) this.cut();
  }

  #close(): void {
    this.#open = false;
    clearInterval(this.#heartbeat);
    this.#release();
  }

  #release(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
