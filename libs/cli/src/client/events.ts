/**
 * A run's events over SSE. Invariant: comes back with Last-Event-ID after every break, so that each durable event of the
 * root run is given once, until the run has ended.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { TuttiError } from '@tutti/contracts';
import type { Api } from './api.ts';

export interface ServerEvent {
  id: string | undefined;
  event: string;
  data: string;
}

const RETRY_MS = 500;
const RETRIES_IN_A_ROW_MAX = 20;
const NO_CONTENT = 204;
const ENDS = new Set(['run.completed', 'run.failed', 'run.cancelled']);

/** `data` is parsed JSON. Ends after the root run's last event. Throws when the server stays away, or says `error`. */
export async function* followEvents(
  api: Api,
  run: string,
  signal: AbortSignal,
): AsyncGenerator<{ event: string; data: Record<string, unknown> }> {
  let lastId: string | undefined;
  for (let failures = 0; ; ) {
    try {
      const headers = { accept: 'text/event-stream', ...(lastId ? { 'last-event-id': lastId } : {}) };
      const response = await api.open(`/v1/runs/${run}/events`, headers, signal);
      if (response.status === NO_CONTENT || !response.body) return;
      for await (const message of readEvents(response.body)) {
        failures = 0;
        const data = JSON.parse(message.data) as Record<string, unknown>;
        if (message.event === 'error') throw failed(data);
        if (message.id) lastId = message.id;
        yield { event: message.event, data };
        if (data.run === run && ENDS.has(message.event)) return;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof TuttiError && !error.retryable) throw error;
      failures += 1;
      if (failures > RETRIES_IN_A_ROW_MAX) throw error;
    }
    await sleep(RETRY_MS, undefined, { signal }).catch(() => {});
    if (signal.aborted) return;
  }
}

function failed(data: Record<string, unknown>): TuttiError {
  const { message } = (data.error ?? {}) as { message?: string };
  return new TuttiError('internal', message ?? 'the event stream failed', { retryable: true });
}

/** Server-sent events as the HTML standard has them, without `retry`. */
export async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent> {
  let rest = '';
  const decoder = new TextDecoder();
  for await (const chunk of body) {
    rest += decoder.decode(chunk, { stream: true });
    const blocks = rest.split(/\r?\n\r?\n/);
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const message = parseBlock(block);
      if (message) yield message;
    }
  }
}

function parseBlock(block: string): ServerEvent | undefined {
  const fields = block.split(/\r?\n/).map((line) => /^([a-z]+): ?(.*)$/.exec(line));
  const valuesOf = (name: string) => fields.flatMap((field) => (field?.[1] === name ? [field[2]!] : []));
  const data = valuesOf('data');
  if (data.length === 0) return undefined;
  return { id: valuesOf('id').at(-1), event: valuesOf('event').at(-1) ?? 'message', data: data.join('\n') };
}
