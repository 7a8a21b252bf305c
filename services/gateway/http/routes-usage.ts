/** What was used and what budgets stand at, and prompts of the bundle as they render: questions that the router answers. */
import { PromptUse, UsageBody } from '@tutti/contracts';
import type { FastifyInstance } from 'fastify';
import type { GatewayDeps } from './deps.ts';
import { parse } from './validate.ts';

export const ReadUsage = UsageBody.strict();
export const RenderPrompt = PromptUse.omit({ name: true });

const ASK_TIMEOUT_MS = 10_000;
type NamePath = { Params: { name: string } };

export function usageRoutes(app: FastifyInstance, deps: GatewayDeps): void {
  app.get('/v1/usage', async (request) => {
    const question = parse(ReadUsage, request.query);
    const { tenant } = request.identity;
    const { budgets, rows } = await deps.caller.call('usage', question, { tenant, timeoutMs: ASK_TIMEOUT_MS });
    return { object: 'usage', budgets, data: rows };
  });

  app.post<NamePath>('/v1/prompts/:name/render', async (request) => {
    const prompt = { ...parse(RenderPrompt, request.body ?? {}), name: request.params.name };
    const { tenant } = request.identity;
    const rendered = await deps.caller.call('render', { prompt }, { tenant, timeoutMs: ASK_TIMEOUT_MS });
    return { object: 'prompt', ...rendered };
  });
}
