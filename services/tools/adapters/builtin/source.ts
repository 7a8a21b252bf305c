/** The tools that Tutti brings along. One entry a tool. */
import type { SourceTool, ToolResult, ToolSource } from '../../ports/tool-source.ts';
import { ToolCallError } from '../../ports/tool-source.ts';
import { calculate, calculatorTool } from './calculator.ts';
import { currentTime, currentTimeTool } from './current-time.ts';

const BUILTINS: { tool: SourceTool; run(args: Record<string, unknown>): ToolResult }[] = [
  { tool: calculatorTool, run: calculate },
  { tool: currentTimeTool, run: (args) => currentTime(args, new Date()) },
];

export function createBuiltinSource(): ToolSource {
  return {
    isStatic: true,
    list: async () => ({ tools: BUILTINS.map((builtin) => builtin.tool), problems: [] }),
    async call(name, args) {
      const builtin = BUILTINS.find((entry) => entry.tool.name === name);
      if (!builtin) throw new ToolCallError('no', `there is no built-in tool "${name}"`);
      return builtin.run(args);
    },
    async close() {},
  };
}
