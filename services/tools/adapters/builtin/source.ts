/** The tools that Tutti brings along. One entry a tool. */
import type { ToolLabels } from '@tutti/contracts';
import type { SourceTool, ToolResult, ToolSource } from '../../ports/tool-source.ts';
import { ToolCallError } from '../../ports/tool-source.ts';
import { calculate, calculatorTool } from './calculator.ts';
import { currentTime, currentTimeTool } from './current-time.ts';

const BUILTINS: { tool: SourceTool; run(args: Record<string, unknown>): ToolResult }[] = [
  { tool: calculatorTool, run: calculate },
  { tool: currentTimeTool, run: (args) => currentTime(args, new Date()) },
];

/** Nothing that they are given leaves this process, and what they say is computed here. */
const WITHIN: ToolLabels = { integrity: 'tool:trusted', clearance: 'all' };

export function createBuiltinSource(): ToolSource {
  return {
    isStatic: true,
    list: async () => ({
      tools: BUILTINS.map(({ tool }) => ({ ...tool, labels: { ...WITHIN, ...tool.labels } })),
      problems: [],
    }),
    async call(name, args) {
      const builtin = BUILTINS.find((entry) => entry.tool.name === name);
      if (!builtin) throw new ToolCallError('no', `there is no built-in tool "${name}"`);
      return builtin.run(args);
    },
    async close() {},
  };
}
