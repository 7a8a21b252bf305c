/**
 * The four workers in one process, instant, on the runtime of the real ones. A model call that waits does so until the
 * process is told `{type: 'release'}`; `{type: 'counts'}` is answered with how often what was asked.
 */
import { contentHash } from '@tutti/contracts';
import { defineService, type Handlers, startService } from '@tutti/runtime';
import { z } from 'zod';
import { lookedUp, passagesOf, prose, tools, toolsHash, turnsOf, waitOf } from './job.ts';

const counts: Record<string, number> = {};
/** Effects by call: an irreversible one must not happen twice. */
const acted = new Map<string, number>();
let release: () => void;
const released = new Promise<void>((resolve) => {
  release = resolve;
});
let next = 0;

const usage = { inputTokens: 900, outputTokens: 80 };
const from = { model: 'instant', provider: 'fake', usage };

const handlers: Record<'memory' | 'retriever' | 'tools' | 'router', Handlers> = {
  memory: {
    recall: async ({ session }) => ({ turns: turnsOf(session, next++ * 40), summary: prose(400, 1), facts: [] }),
    remember: async () => ({ stored: true }),
  },
  retriever: { search: async () => ({ passages: passagesOf(next++) }) },
  tools: {
    describe: async ({ have }) => ({
      hash: toolsHash,
      ...(have.includes(toolsHash) ? {} : { tools }),
      problems: [],
    }),
    execute: async (body, { item }) => {
      const isAct = body.tool === 'act';
      if (isAct && !body.approval)
        return {
          status: 'approval_required',
          reason: 'a human decides',
          policy: 'bench',
          arguments: body.arguments,
          argumentsHash: contentHash(body.arguments),
          effect: 'irreversible',
        };
      if (isAct) acted.set(item.callId, (acted.get(item.callId) ?? 0) + 1);
      return {
        status: 'done',
        content: lookedUp(next++),
        isError: false,
        effect: isAct ? 'irreversible' : 'pure',
      };
    },
  },
  router: {
    complete: async ({ chat }, { signal }) => {
      counts.complete = (counts.complete ?? 0) + 1;
      const goal = chat.messages.findLast(({ role, content }) => role === 'user' && content?.startsWith('wait:'));
      const { wait, seconds } = waitOf(goal?.content ?? '');
      const at = chat.messages.lastIndexOf(goal!);
      const results = chat.messages.slice(at).filter(({ role }) => role === 'tool').length;
      const call = (name: string, args: object) => ({
        message: {
          role: 'assistant' as const,
          content: prose(200, results),
          toolCalls: [{ id: `m${results}`, name, arguments: args as Record<string, unknown> }],
        },
        finishReason: 'tool_calls' as const,
        ...from,
      });
      if (results < 2) return call('look', { at: prose(40, next) });
      if (results === 2 && wait === 'approval') return call('act', { at: 'Lisbon' });
      if (results === 2 && wait === 'question') return call('ask_user', { question: 'Which hotel do you like best?' });
      if (results === 2 && wait === 'sleep') return call('sleep', { seconds });
      if (wait === 'model') {
        counts.waiting = (counts.waiting ?? 0) + 1;
        await Promise.race([
          released,
          new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true })),
        ]);
      }
      return { message: { role: 'assistant', content: prose(500, 9) }, finishReason: 'stop', ...from };
    },
  },
};

for (const name of ['memory', 'retriever', 'tools', 'router'] as const)
  await startService(defineService({ name, config: z.object({}), start: async () => ({ handlers: handlers[name] }) }));
process.on('message', ({ type }: { type: string }) => {
  if (type === 'release') release();
  if (type === 'counts')
    process.send!({
      type: 'counts',
      ...counts,
      acted: acted.size,
      twice: [...acted.values()].filter((times) => times > 1).length,
    });
});
process.once('SIGTERM', () => process.exit(0));
process.send!({ type: 'ready' });
