/** The tools that Tutti brings along. One entry a tool. */
import type { ToolLabels } from '@tutti/contracts';
import type { Results } from '../../ports/results.ts';
import {
  type SourceTool,
  ToolCallError,
  type ToolCallOptions,
  type ToolResult,
  type ToolSource,
} from '../../ports/tool-source.ts';
import type { Outbound } from '../outbound/outbound.ts';
import { calculate, calculatorTool } from './calculator.ts';
import { currentTime, currentTimeTool } from './current-time.ts';
import { dateMath, dateMathTool } from './date-math.ts';
import { createFetchPage, fetchPageTool } from './fetch-page.ts';
import { createReadResult, readResultTool } from './read-result.ts';
import { runJavascript, runJavascriptTool } from './run-javascript.ts';

interface Builtin {
  tool: SourceTool;
  run(args: Record<string, unknown>, options: ToolCallOptions): ToolResult | Promise<ToolResult>;
}

export interface BuiltinOptions {
  outbound: Outbound;
  responseBytesMax: number;
  results: Results;
  resultCharsMax: number;
}

/** Nothing that they are given leaves this process, and what they say is computed here. */
const WITHIN: ToolLabels = { integrity: 'tool:trusted', clearance: 'all' };

export function createBuiltinSource(options: BuiltinOptions): ToolSource {
  const builtins: Builtin[] = [
    { tool: calculatorTool, run: calculate },
    { tool: currentTimeTool, run: (args) => currentTime(args, new Date()) },
    { tool: dateMathTool, run: dateMath },
    { tool: fetchPageTool, run: createFetchPage(options) },
    { tool: readResultTool, run: createReadResult(options) },
    { tool: runJavascriptTool, run: runJavascript },
  ];
  return {
    isStatic: true,
    list: async () => ({
      tools: builtins.map(({ tool }) => ({ ...tool, labels: { ...WITHIN, ...tool.labels } })),
      problems: [],
    }),
    async call(name, args, callOptions) {
      const builtin = builtins.find((entry) => entry.tool.name === name);
      if (!builtin) throw new ToolCallError('no', `there is no built-in tool "${name}"`);
      return builtin.run(args, callOptions);
    },
    close: () => options.outbound.close(),
  };
}
