/** The thread that the SQLite file belongs to: opens it, answers one question after another. Wiring only. */
import { parentPort, workerData } from 'node:worker_threads';
import { toErrorInfo } from '@tutti/contracts';
import type { MemoryStore } from '../../ports/store.ts';
import type { Answer, Ask } from './messages.ts';
import { openSqliteStore } from './store.ts';

const port = parentPort!;
const answer = (message: Answer) => port.postMessage(message);

let store: MemoryStore | undefined;
try {
  store = openSqliteStore((workerData as { path: string }).path);
  answer({ id: 0, ok: true, value: null });
} catch (error) {
  answer({ id: 0, ok: false, error: toErrorInfo(error) });
}

port.on('message', async ({ id, method, parameters }: Ask) => {
  try {
    const call = store![method] as (...values: unknown[]) => Promise<unknown>;
    answer({ id, ok: true, value: await call(...parameters) });
  } catch (error) {
    answer({ id, ok: false, error: toErrorInfo(error) });
  }
  if (method === 'close') port.close();
});
