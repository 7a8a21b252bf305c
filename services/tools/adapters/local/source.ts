/** Tools of the process that runs the tools service: TypeScript functions with a zod schema. For people who embed Tutti. */
import { type EffectKind, type JsonSchema, type ToolLabels, TuttiError } from '@tutti/contracts';
import { z } from 'zod';
import { ToolCallError, type ToolCallOptions, type ToolResult, type ToolSource } from '../../ports/tool-source.ts';

export interface LocalCall {
  /** The same for every repeat of one call; not there for tools that are `pure`. */
  idempotencyKey: string | undefined;
  /** Aborted when the call is cancelled or its time is over. */
  signal: AbortSignal;
}

export interface LocalTool {
  name: string;
  description: string;
  effect: EffectKind;
  parameters: JsonSchema;
  returns: JsonSchema | undefined;
  labels: ToolLabels | undefined;
  call(args: Record<string, unknown>, context: LocalCall): Promise<ToolResult>;
}

/** Thrown by `run`: nothing was done, and the model is told why in these words. */
export class ToolRefusal extends Error {
  override name = 'ToolRefusal';
}

/**
 * `run` gets what `parameters` made of the arguments. What it returns is the result: text, or data that fits `returns`.
 * A `ToolRefusal` is an answer for the model; any other error leaves it open whether something was done.
 */
export function defineTool<Parameters extends z.ZodObject, Returns extends z.ZodType = z.ZodUnknown>(tool: {
  name: string;
  description: string;
  /** What is not said counts as `irreversible`. */
  effect?: EffectKind;
  /** How far its results can be trusted, and what it may be given; `untrusted` where nothing is said. */
  labels?: ToolLabels;
  parameters: Parameters;
  returns?: Returns;
  run(args: z.output<Parameters>, context: LocalCall): Promise<z.input<Returns>> | z.input<Returns>;
}): LocalTool {
  return {
    name: tool.name,
    description: tool.description,
    effect: tool.effect ?? 'irreversible',
    labels: tool.labels,
    parameters: schemaOf(tool.parameters, 'input'),
    returns: tool.returns && schemaOf(tool.returns, 'output'),
    async call(args, context) {
      const parsed = tool.parameters.safeParse(args);
      if (!parsed.success) return { content: z.prettifyError(parsed.error), isError: true };
      try {
        const result: unknown = await tool.run(parsed.data, context);
        return resultOf(tool.returns ? tool.returns.parse(result) : result);
      } catch (error) {
        if (error instanceof ToolRefusal) return { content: error.message, isError: true };
        throw new ToolCallError('maybe', `the tool failed: ${(error as Error).message}`);
      }
    },
  };
}

function schemaOf(schema: z.ZodType, io: 'input' | 'output'): JsonSchema {
  const { $schema: _draft, ...rest } = z.toJSONSchema(schema, { io }) as JsonSchema;
  return rest;
}

function resultOf(result: unknown): ToolResult {
  if (typeof result === 'string') return { content: result, isError: false };
  return { content: JSON.stringify(result ?? null), isError: false, data: result ?? null };
}

export function createLocalSource(tools: LocalTool[] | undefined, toolset: string): ToolSource {
  return {
    isStatic: true,
    async list() {
      if (!tools) throw new TuttiError('unavailable', `this process has no toolset "${toolset}"`, { retryable: false });
      return {
        tools: tools.map(({ name, description, effect, parameters, returns, labels }) => ({
          name,
          description,
          effect,
          parameters,
          returns,
          labels,
        })),
        problems: [],
      };
    },
    async call(name, args, options) {
      const tool = tools?.find((one) => one.name === name);
      if (!tool) throw new ToolCallError('no', `this process has no tool "${name}" in "${toolset}"`);
      return inTime(tool, args, options);
    },
    async close() {},
  };
}

/** A function that does not heed its signal is left alone when its time is over; what it does then nobody knows. */
async function inTime(tool: LocalTool, args: Record<string, unknown>, options: ToolCallOptions): Promise<ToolResult> {
  const timeout = AbortSignal.timeout(options.timeoutMs);
  const signal = AbortSignal.any([options.signal, timeout]);
  return new Promise((resolve, reject) => {
    const stop = () =>
      reject(
        timeout.aborted
          ? new ToolCallError('maybe', `the tool did not finish within ${options.timeoutMs} ms`, { code: 'timeout' })
          : new ToolCallError('maybe', 'the call was given up'),
      );
    signal.addEventListener('abort', stop, { once: true });
    tool
      .call(args, { idempotencyKey: options.idempotencyKey, signal })
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', stop));
  });
}
