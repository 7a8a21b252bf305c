/** The thread of run-javascript.ts: one program, one answer, then it is ended. */
import { parentPort, workerData } from 'node:worker_threads';
import variant from '@jitl/quickjs-wasmfile-release-sync';
import { newQuickJSWASMModuleFromVariant, shouldInterruptAfterDeadline } from 'quickjs-emscripten-core';

interface Job {
  code: string;
  input: unknown;
  runMs: number;
  memoryBytesMax: number;
  stackBytesMax: number;
  outputCharsMax: number;
}

const job = workerData as Job;

async function run(): Promise<{ ok: boolean; text: string }> {
  const quickjs = await newQuickJSWASMModuleFromVariant(variant as never);
  const runtime = quickjs.newRuntime();
  runtime.setMemoryLimit(job.memoryBytesMax);
  runtime.setMaxStackSize(job.stackBytesMax);
  runtime.setInterruptHandler(shouldInterruptAfterDeadline(Date.now() + job.runMs));
  const context = runtime.newContext();
  const input = context.newString(JSON.stringify(job.input));
  context.setProp(context.global, '__input', input);
  input.dispose();
  const prepared = context.evalCode('const input = JSON.parse(__input); delete globalThis.__input;');
  if (prepared.error) return { ok: false, text: describe(context.dump(prepared.error)) };
  const ran = context.evalCode(job.code, 'program.js');
  if (ran.error) return { ok: false, text: describe(context.dump(ran.error)) };
  // Written out inside, so that only text leaves: no object of the program is ever touched here.
  context.setProp(context.global, '__value', ran.value);
  const written = context.evalCode('JSON.stringify(__value === undefined ? null : __value) ?? "null"');
  if (written.error) return { ok: false, text: describe(context.dump(written.error)) };
  const text = context.getString(written.value);
  if (text.length > job.outputCharsMax)
    return { ok: false, text: `its result is longer than ${job.outputCharsMax} characters` };
  return { ok: true, text };
}

function describe(error: unknown): string {
  if (error !== null && typeof error === 'object' && 'message' in error) {
    const { name, message } = error as { name?: unknown; message: unknown };
    return `${name ?? 'Error'}: ${message}`.slice(0, 1_000);
  }
  return String(error).slice(0, 1_000);
}

parentPort?.postMessage(
  await run().catch((error: unknown) => ({ ok: false, text: error instanceof Error ? error.message : 'it failed' })),
);
