/** The real index thread, but the query "die" ends it. */
import { parentPort } from 'node:worker_threads';
import type { EngineCall } from '../adapters/engine-calls.ts';

parentPort!.on('message', (call: EngineCall) => {
  if ((call.argument as { query?: string } | undefined)?.query === 'die') process.exit(3);
});
await import('../adapters/engine-thread.ts');
