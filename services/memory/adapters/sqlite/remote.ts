/**
 * The SQLite store on a thread of its own, so that neither queries nor fsync hold up the process, which embedded runs all
 * six services. Invariants: every question ends: answered, or `unavailable` when its thread died; order is kept; a thread
 * that died is replaced at the next question.
 */
import { Worker } from 'node:worker_threads';
import { TuttiError } from '@tutti/contracts';
import type { MemoryStore } from '../../ports/store.ts';
import type { Answer, Ask, Method } from './messages.ts';

const METHODS: readonly Method[] = [
  'remember',
  'turns',
  'turnTexts',
  'turnsOf',
  'project',
  'states',
  'position',
  'settle',
  'prune',
  'bytes',
  'run',
  'runs',
  'journal',
  'late',
  'approvals',
  'approval',
];

interface Thread {
  ask(method: Method, parameters: unknown[]): Promise<unknown>;
}

/** Rejects when the file cannot be opened. */
export async function openSqliteThread(path: string): Promise<MemoryStore> {
  let current: Promise<Thread> | undefined;
  let closed = false;
  const thread = (): Promise<Thread> => {
    if (closed) throw new TuttiError('unavailable', 'the store is closed');
    current ??= startThread(path, () => {
      current = undefined;
    });
    return current;
  };
  await thread();
  const methods = METHODS.map((method) => [
    method,
    async (...parameters: unknown[]) => (await thread()).ask(method, parameters),
  ]);
  const close = async () => {
    const last = current;
    closed = true;
    await (await last)?.ask('close', []);
  };
  return Object.fromEntries([...methods, ['close', close]]) as MemoryStore;
}

async function startThread(path: string, ended: () => void): Promise<Thread> {
  const worker = new Worker(new URL('./thread.ts', import.meta.url), { workerData: { path } });
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  let next = 0;
  let gone: Error | undefined;
  const end = (reason: string) => {
    gone ??= new TuttiError('unavailable', `the SQLite thread is gone: ${reason}`);
    for (const { reject } of waiting.values()) reject(gone);
    waiting.clear();
    ended();
  };
  worker.on('error', (error) => end((error as Error).message));
  worker.on('exit', (code) => end(`it ended with ${code}`));
  worker.on('message', (answer: Answer) => {
    const entry = waiting.get(answer.id);
    waiting.delete(answer.id);
    if (answer.ok) entry?.resolve(answer.value);
    else entry?.reject(TuttiError.from(answer.error));
  });
  /** The thread's first answer, to question 0, says whether the file is open. */
  const answerTo = (): { id: number; answer: Promise<unknown> } => {
    const id = next++;
    return { id, answer: new Promise((resolve, reject) => waiting.set(id, { resolve, reject })) };
  };
  try {
    await answerTo().answer;
  } catch (error) {
    await worker.terminate();
    throw error;
  }
  return {
    ask(method, parameters) {
      if (gone) return Promise.reject(gone);
      const { id, answer } = answerTo();
      worker.postMessage({ id, method, parameters } satisfies Ask);
      return answer;
    },
  };
}
