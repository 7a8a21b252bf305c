/**
 * Tools of processes on the bus (protocol: libs/contracts/src/worker.ts). Whoever answers `describe` is there; when nobody
 * does, the tools are gone. A call goes to one of the workers of that name.
 */
import { randomUUID } from 'node:crypto';
import { subjects, TuttiError, type WorkerCall, WorkerDescription, WorkerReply } from '@tutti/contracts';
import type { Bus } from '@tutti/runtime';
import { ToolCallError, type ToolCallOptions, type ToolResult, type ToolSource } from '../../ports/tool-source.ts';

/** How long an answer to `describe` counts: as quickly a worker is seen to come and go. */
export const WORKER_TTL_MS = 1_000;
export const DESCRIBE_TIMEOUT_MS = 2_000;
/** A worker that has said how far it is and then says nothing for this long is given up. */
export const WORKER_SILENCE_MS = 15_000;
export const PROGRESS_CHARS_MAX = 500;

export interface WorkerOptions {
  bus: Pick<Bus, 'publish' | 'subscribe' | 'request' | 'inbox'>;
  tenant: string;
  worker: string;
  silenceMs?: number;
}

export function createWorkerSource({ bus, tenant, worker, silenceMs = WORKER_SILENCE_MS }: WorkerOptions): ToolSource {
  const subject = (verb: 'describe' | 'call' | 'cancel') => subjects.worker(tenant, worker, verb);

  async function describe(): Promise<WorkerDescription> {
    let answer: Uint8Array;
    try {
      answer = await bus.request(subject('describe'), encode({}), DESCRIBE_TIMEOUT_MS);
    } catch (error) {
      const code = error instanceof TuttiError ? error.code : 'unavailable';
      throw new TuttiError('unavailable', `no worker "${worker}" answers on ${subject('describe')} (${code})`);
    }
    const parsed = WorkerDescription.safeParse(decode(answer));
    if (parsed.success) return parsed.data;
    throw new TuttiError('unavailable', `the worker "${worker}" describes itself in a way that is no description`);
  }

  return {
    isStatic: false,
    listTtlMs: WORKER_TTL_MS,
    async list() {
      const { tools } = await describe();
      return { tools, problems: [] };
    },
    call(name, args, options) {
      const call: WorkerCall = {
        id: randomUUID(),
        tool: name,
        arguments: args,
        timeoutMs: options.timeoutMs,
        ...(options.idempotencyKey === undefined ? {} : { idempotencyKey: options.idempotencyKey }),
      };
      return new Promise((resolve, reject) => send({ bus, subject, silenceMs }, call, options, resolve, reject));
    },
    async close() {},
  };
}

interface Line {
  bus: WorkerOptions['bus'];
  subject(verb: 'call' | 'cancel'): string;
  silenceMs: number;
}

function send(
  line: Line,
  call: WorkerCall,
  options: ToolCallOptions,
  resolve: (result: ToolResult) => void,
  reject: (error: ToolCallError) => void,
): void {
  const reply = `${line.bus.inbox}.worker.${call.id}`;
  const giveUp = (error: ToolCallError) => {
    end();
    if (error.sent === 'maybe') line.bus.publish(line.subject('cancel'), encode({ id: call.id }));
    reject(error);
  };
  const timeout = setTimeout(
    () =>
      giveUp(new ToolCallError('maybe', `the worker did not finish within ${call.timeoutMs} ms`, { code: 'timeout' })),
    call.timeoutMs,
  );
  let silence: NodeJS.Timeout | undefined;
  const aborted = () => giveUp(new ToolCallError('maybe', 'the call was given up'));
  const end = () => {
    clearTimeout(timeout);
    clearTimeout(silence);
    subscription.stop();
    options.signal.removeEventListener('abort', aborted);
  };
  const alive = (progress: unknown) => {
    clearTimeout(silence);
    silence = setTimeout(
      () => giveUp(new ToolCallError('maybe', `the worker has said nothing for ${line.silenceMs} ms`)),
      line.silenceMs,
    );
    const text = typeof progress === 'string' ? progress : JSON.stringify(progress);
    options.onProgress?.(text.slice(0, PROGRESS_CHARS_MAX));
  };
  const subscription = line.bus.subscribe(reply, ({ data }) => {
    // An empty message is the server's word that nobody listens.
    if (data.length === 0) return giveUp(new ToolCallError('no', 'no worker is there'));
    const parsed = WorkerReply.safeParse(decode(data));
    if (!parsed.success) return giveUp(new ToolCallError('maybe', 'the worker answered something that is no answer'));
    const answer = parsed.data;
    if ('progress' in answer) return alive(answer.progress);
    if ('error' in answer && answer.error.retryable)
      return giveUp(new ToolCallError('no', `the worker puts the call off: ${answer.error.message}`));
    end();
    resolve('error' in answer ? { content: answer.error.message, isError: true } : resultOf(answer.result));
  });
  if (options.signal.aborted) return giveUp(new ToolCallError('no', 'the call was given up'));
  options.signal.addEventListener('abort', aborted, { once: true });
  line.bus.publish(line.subject('call'), encode(call), { reply });
}

function resultOf(result: unknown): ToolResult {
  if (typeof result === 'string') return { content: result, isError: false };
  return { content: JSON.stringify(result), isError: false, data: result };
}

const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
function decode(data: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(data));
  } catch {
    return undefined;
  }
}
