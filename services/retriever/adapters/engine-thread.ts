/** The thread that owns the index: takes one call after the other, answers each once. */
import { parentPort, workerData } from 'node:worker_threads';
import { toErrorInfo } from '@tutti/contracts';
import type { IndexSettings } from '../config.ts';
import { IndexCorrupt } from '../ports/index-engine.ts';
import type { EngineCall, EngineReply } from './engine-calls.ts';
import { SqliteEngine } from './sqlite-engine.ts';

const { folder, settings } = workerData as { folder: string; settings: IndexSettings };
const engine = new SqliteEngine(folder, settings);

function answer(call: EngineCall): EngineReply {
  try {
    const operation = engine[call.operation] as (argument: unknown) => unknown;
    return { id: call.id, ok: true, result: operation.call(engine, call.argument) };
  } catch (error) {
    if (error instanceof IndexCorrupt) return { id: call.id, ok: false, corrupt: error.message };
    return { id: call.id, ok: false, error: toErrorInfo(error) };
  }
}

parentPort!.on('message', (call: EngineCall) => parentPort!.postMessage(answer(call)));
