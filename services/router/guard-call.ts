/**
 * What a whole call goes through around its tries: the prompt of the bundle, the cache, and the check that its answer
 * rests on its sources, each where the bundle asks for it.
 */
import type { AgentManifest, Bundle, CompleteBody, CompleteResult } from '@tutti/contracts';
import type { z } from 'zod';
import { type CachingParts, completeCached } from './caching.ts';
import type { CallContext } from './complete.ts';
import { completeGrounded, type GroundingParts, isGrounded } from './grounding.ts';
import { withPrompt } from './prompting.ts';
import type { UsageLog } from './usage-log.ts';

type Body = z.output<typeof CompleteBody>;

export interface CallGuardParts extends CachingParts, GroundingParts {
  usage: UsageLog;
}

/** `bundle`: the one that is pinned. */
export async function guardCall(
  parts: CallGuardParts,
  bundle: Bundle | undefined,
  tenant: string,
  body: Body,
  call: CallContext,
): Promise<CompleteResult> {
  const agent = bundle && Object.hasOwn(bundle.agents, body.agent) ? bundle.agents[body.agent] : undefined;
  const prompted = body.prompt
    ? withPrompt(body.chat, body.prompt, { hash: body.bundle, prompts: bundle?.prompts })
    : undefined;
  const asked = prompted ? { ...body, chat: prompted.chat } : body;
  const complete = () => answered(parts, agent, asked, call);
  const result = agent?.cache
    ? await completeCached(parts, agent.cache, tenant, asked, call, complete)
    : await complete();
  if (result.cached)
    parts.usage.add(tenant, { agent: body.agent, model: result.model, provider: result.provider }, { cached: 1 });
  if (!prompted) return result;
  const { name, version, hash } = prompted.rendered;
  return { ...result, prompt: { name, version, hash } };
}

function answered(
  parts: CallGuardParts,
  agent: AgentManifest | undefined,
  body: Body,
  call: CallContext,
): Promise<CompleteResult> {
  return agent?.grounding && isGrounded(body)
    ? completeGrounded(parts, agent.grounding, body, call)
    : parts.complete(body, call);
}
