/** A small client for server-sent events over fetch: for tests, which have to see ids, comments and the end. */
export interface ReceivedEvent {
  id: string | undefined;
  event: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into it freely
  data: any;
}

export class SseClient {
  readonly events: ReceivedEvent[] = [];
  readonly retries: number[] = [];
  readonly response: Response;
  /** Resolves when the server closed the stream. */
  readonly ended: Promise<void>;
  readonly #abort: AbortController;

  private constructor(response: Response, abort: AbortController) {
    this.response = response;
    this.#abort = abort;
    this.ended = this.#read().catch((error) => {
      if (!abort.signal.aborted) throw error;
    });
  }

  static async open(url: string, headers: Record<string, string> = {}): Promise<SseClient> {
    const abort = new AbortController();
    return new SseClient(await fetch(url, { headers, signal: abort.signal }), abort);
  }

  close(): void {
    this.#abort.abort();
  }

  types(): string[] {
    return this.events.map(({ event }) => event);
  }
  ids(): number[] {
    return this.events.flatMap(({ id }) => (id === undefined ? [] : [Number(id)]));
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    let rest = '';
    for await (const chunk of this.response.body ?? []) {
      const blocks = (rest + decoder.decode(chunk as Uint8Array, { stream: true })).split('\n\n');
      rest = blocks.pop()!;
      for (const block of blocks) this.#take(block);
    }
  }

  #take(block: string): void {
    const fields = new Map(
      block.split('\n').map((line) => [line.split(': ', 1)[0]!, line.slice(line.indexOf(': ') + 2)]),
    );
    if (fields.has('retry')) this.retries.push(Number(fields.get('retry')));
    if (!fields.has('data')) return;
    this.events.push({
      id: fields.get('id'),
      event: fields.get('event') ?? 'message',
      data: JSON.parse(fields.get('data')!),
    });
  }
}
