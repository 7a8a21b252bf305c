/** What travels between remote.ts and its thread. */
import type { ErrorInfo } from '@tutti/contracts';
import type { MemoryStore } from '../../ports/store.ts';

export type Method = keyof MemoryStore;

export interface Ask {
  id: number;
  method: Method;
  parameters: unknown[];
}

/** `id` 0: the file is open, or could not be opened. */
export type Answer = { id: number; ok: true; value: unknown } | { id: number; ok: false; error: ErrorInfo };
