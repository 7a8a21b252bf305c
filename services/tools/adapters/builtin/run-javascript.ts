/**
 * Runs a snippet of JavaScript in QuickJS (WebAssembly) in a thread of its own: no network, files, clock-driven work or
 * modules, nothing of this process; memory, time and output are limited, and the thread is ended when they are over.
 */
import { Worker } from 'node:worker_threads';
import { type SourceTool, ToolCallError, type ToolCallOptions, type ToolResult } from '../../ports/tool-source.ts';

export const JAVASCRIPT_LIMITS = {
  codeCharsMax: 20_000,
  runMs: 2_000,
  /** Beyond `runMs`: starting the thread, and for an engine that does not stop by itself. */
  threadMs: 10_000,
  memoryBytesMax: 32 * 1_024 * 1_024,
  stackBytesMax: 256 * 1_024,
  threadMemoryMbMax: 64,
  outputCharsMax: 100_000,
} as const;

export const runJavascriptTool: SourceTool = {
  name: 'run_javascript',
  description:
    'Runs a short JavaScript program and gives the value of its last expression. For data to sort, filter, count or ' +
    'reshape. `input` is what was handed over; there is no network, no file, no timer, no import and no DOM.',
  parameters: {
    type: 'object',
    additionalProperties: false,
    required: ['code'],
    properties: {
      code: {
        type: 'string',
        minLength: 1,
        maxLength: JAVASCRIPT_LIMITS.codeCharsMax,
        examples: ['input.map((row) => row.price).sort((a, b) => a - b)[0]'],
      },
      input: { description: 'Any JSON; the program sees it as `input`.' },
    },
  },
  returns: { type: 'object', required: ['result'], properties: { result: {} } },
  effect: 'pure',
};

export async function runJavascript(args: Record<string, unknown>, options: ToolCallOptions): Promise<ToolResult> {
  const { codeCharsMax: _code, threadMs, runMs, threadMemoryMbMax, ...limits } = JAVASCRIPT_LIMITS;
  const worker = new Worker(new URL('./javascript-thread.ts', import.meta.url), {
    workerData: { code: String(args.code), input: args.input ?? null, runMs, ...limits },
    env: {},
    // The thread's own heap; QuickJS's memory is beside it.
    resourceLimits: { maxOldGenerationSizeMb: threadMemoryMbMax },
    stdout: true,
    stderr: true,
  });
  const timeoutMs = Math.min(options.timeoutMs, runMs + threadMs);
  try {
    return await new Promise<ToolResult>((resolve, reject) => {
      const timer = setTimeout(() => resolve(stopped(`it ran for more than ${timeoutMs} ms`)), timeoutMs);
      options.signal.addEventListener('abort', () => reject(new ToolCallError('maybe', 'the call was given up')), {
        once: true,
      });
      worker.once('message', (message: { ok: boolean; text: string }) => {
        clearTimeout(timer);
        resolve(message.ok ? done(message.text) : stopped(message.text));
      });
      worker.once('error', (error) => {
        clearTimeout(timer);
        resolve(stopped(error.message));
      });
    });
  } finally {
    await worker.terminate();
  }
}

function done(text: string): ToolResult {
  const data = { result: JSON.parse(text) as unknown };
  return { content: JSON.stringify(data), isError: false, data };
}

function stopped(reason: string): ToolResult {
  return { content: `The program failed: ${reason}`, isError: true };
}
