/**
 * `node worker.ts NAME`: an instant fake of memory, retriever or router, on the same runtime as the real service
 * (schemas, tracing, limits, heartbeats and all). Only what the service itself would do is left out. `TUTTI_BENCH_MODEL_MS`
 * makes the model slow: a number, or a range such as `20000-60000`.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ServiceName } from '@tutti/contracts';
import { defineService, type Handlers, runService } from '@tutti/runtime';
import { z } from 'zod';
import { ANSWER, EXPRESSION, PASSAGE } from './job.ts';

const Config = z.object({
  TUTTI_BENCH_MODEL_MS: z
    .string()
    .regex(/^\d+(-\d+)?$/)
    .default('0'),
});
type Config = z.infer<typeof Config>;

const FAKES: Partial<Record<ServiceName, (config: Config) => Handlers>> = {
  memory: () => ({
    recall: async () => ({ turns: [], summary: null, facts: [] }),
    remember: async () => ({ stored: true }),
  }),
  retriever: () => ({ search: async () => ({ passages: [PASSAGE] }) }),
  router: ({ TUTTI_BENCH_MODEL_MS }) => {
    const [from = 0, to = from] = TUTTI_BENCH_MODEL_MS.split('-').map(Number);
    return {
      async complete(body, { signal }) {
        if (to > 0) await sleep(from + Math.random() * (to - from), undefined, { signal });
        const called = body.chat.messages.some((message) => message.role === 'tool');
        return {
          message: called
            ? { role: 'assistant', content: ANSWER }
            : {
                role: 'assistant',
                content: null,
                toolCalls: [{ id: 'sum', name: 'calculator', arguments: { expression: EXPRESSION } }],
              },
          finishReason: called ? 'stop' : 'tool_calls',
          usage: { inputTokens: 120, outputTokens: 24 },
          model: 'instant',
          provider: 'fake',
        };
      },
    };
  },
};

const name = process.argv[2] as ServiceName;
const fake = FAKES[name];
if (!fake) throw new Error(`there is no fake of "${name}"; there are: ${Object.keys(FAKES).join(', ')}`);
await runService(defineService({ name, config: Config, start: async ({ config }) => ({ handlers: fake(config) }) }));
