/**
 * Which models policy lets an agent use, for what it would be told. Asked for every candidate of every call, before any of
 * them is called. Invariant: a model that policy denies is never sent anything, as a fallback neither.
 */
import { type Bundle, type CompleteBody, TuttiError } from '@tutti/contracts';
import type { PolicyEngines } from '@tutti/policy';
import type { z } from 'zod';
import type { Candidate } from './core/choose.ts';

/** Throws TuttiError `not_found` where the bundle is not there. */
export type ModelGate = (
  body: z.output<typeof CompleteBody>,
  tenant: string,
  candidates: Candidate[],
) => Promise<Candidate[]>;

export function createModelGate(parts: { bundle(hash: string): Promise<Bundle>; policies: PolicyEngines }): ModelGate {
  return async ({ bundle: hash, agent, label }, tenant, candidates) => {
    const bundle = await parts.bundle(hash);
    const engine = parts.policies.of(hash, bundle);
    const attributes = Object.hasOwn(bundle.agents, agent) ? bundle.agents[agent]!.attributes : undefined;
    const checked = candidates.map((candidate): Candidate => {
      if (!candidate.kept) return candidate;
      const { entry } = candidate;
      const { decision, reason, policy } = engine.authorize({
        principal: { type: 'Agent', id: agent, attrs: { tenant }, attributes },
        action: 'model.use',
        resource: { type: 'Model', id: entry.id, attrs: { provider: entry.provider } },
        context: { tenant, label },
      });
      return decision === 'allow' ? candidate : { entry, kept: false, reason: `policy ${policy}: ${reason}` };
    });
    const denied = checked.filter((candidate, index) => candidate !== candidates[index]);
    if (denied.length > 0 && !checked.some(({ kept }) => kept))
      throw new TuttiError(
        'forbidden',
        `no model may be used: ${denied.map(({ entry, reason }) => `${entry.id} (${reason})`).join('; ')}`,
      );
    return checked;
  };
}
