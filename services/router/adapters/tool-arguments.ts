/** Tool calls of an answer: a known name, and arguments that fit the tool's schema, repaired where that needs no guess. */
import type { JsonSchema, ToolCall, ToolDefinition } from '@tutti/contracts';
import { coerce } from '../core/coerce.ts';
import { problemsOf } from './json-validator.ts';

export type CallsVerdict = { ok: true; calls: ToolCall[]; repaired: number } | { ok: false; problem: string };

export function checkToolCalls(calls: readonly ToolCall[], tools: readonly ToolDefinition[]): CallsVerdict {
  const problems: string[] = [];
  let repaired = 0;
  const checked = calls.map((call) => {
    const tool = tools.find(({ name }) => name === call.name);
    if (!tool) {
      problems.push(`there is no tool "${call.name}" (there are: ${tools.map(({ name }) => name).join(', ')})`);
      return call;
    }
    // as providers are told it
    const schema: JsonSchema = { type: 'object', ...tool.parameters };
    if (problemsOf(schema, call.arguments) === undefined) return call;
    const mended = coerce(call.arguments, schema) as Record<string, unknown>;
    const problem = problemsOf(schema, mended);
    if (problem !== undefined) {
      problems.push(`the arguments of ${call.name} do not fit its schema: ${problem}`);
      return call;
    }
    repaired += 1;
    return { ...call, arguments: mended };
  });
  return problems.length ? { ok: false, problem: problems.join('; ') } : { ok: true, calls: checked, repaired };
}
