/** What goes between the service and the thread that owns the index. */
import type { ErrorInfo } from '@tutti/contracts';
import type { SqliteEngine } from './sqlite-engine.ts';

export type EngineOperation = keyof SqliteEngine;

export interface EngineCall {
  id: number;
  operation: EngineOperation;
  argument: unknown;
}
export type EngineReply =
  | { id: number; ok: true; result: unknown }
  | { id: number; ok: false; corrupt: string }
  | { id: number; ok: false; error: ErrorInfo };
