/** The job with the OpenAI Agents SDK: an instant model, a function tool, a session in memory; traces are made and dropped, nothing is kept. */
import { Agent, BatchTraceProcessor, MemorySession, Runner, setTraceProcessors, tool, Usage } from '@openai/agents';
import { z } from 'zod';
import { ANSWER, calculate, check, EXPRESSION, GOAL, gather, INSTRUCTIONS, serve } from './load.mjs';

setTraceProcessors([new BatchTraceProcessor({ async export() {} })]);
const usage = () => new Usage({ requests: 1, inputTokens: 120, outputTokens: 24, totalTokens: 144 });
const model = {
  async getResponse({ input }) {
    const called = Array.isArray(input) && input.some((item) => item.type === 'function_call_result');
    const output = called
      ? { type: 'message', role: 'assistant', status: 'completed', content: [{ type: 'output_text', text: ANSWER }] }
      : {
          type: 'function_call',
          callId: 'sum',
          name: 'calculator',
          status: 'completed',
          arguments: JSON.stringify({ expression: EXPRESSION }),
        };
    return { usage: usage(), output: [output] };
  },
  getStreamedResponse() {
    throw new Error('not asked for');
  },
};
const calculator = tool({
  name: 'calculator',
  description: 'Computes an arithmetic expression exactly.',
  parameters: z.object({ expression: z.string() }),
  execute: ({ expression }) => calculate(expression),
});
const agent = new Agent({ name: 'worker', instructions: INSTRUCTIONS, model, tools: [calculator] });
const runner = new Runner();

serve(async () => {
  const { passages } = await gather();
  const session = new MemorySession();
  const result = await runner.run(agent, `${GOAL}\n\n${passages.join('\n')}`, { session });
  check(result.finalOutput);
});
