/**
 * Which models policy lets an agent use, for what it would be told. Asked for every candidate of every call, before any of
 * them is called. Invariant: a model that policy denies is never sent anything, as a fallback neither. Its word is a
 * function of the pinned bundle, the agent, the tenant, the label and the model: all but the model are in the key of the
 * answers that may be given again (core/cache-key.ts), so that none of those goes past it.
 */
import { TuttiError } from '@tutti/contracts';
import type { PolicyEngines } from '@tutti/policy';
import type { Candidate } from './core/choose.ts';
import type { Ask } from './stages.ts';

export interface ModelGate {
  /** The same candidates, those that are denied no longer kept. Throws TuttiError `forbidden` where that leaves none. */
  permitted(ask: Ask, candidates: Candidate[]): Candidate[];
  /** Why this model must not be told what the call is about; undefined: it may. */
  refusal(ask: Ask, model: string, provider: string): string | undefined;
}

export function createModelGate(policies: PolicyEngines): ModelGate {
  function refusal({ body, call, bundle, agent }: Ask, model: string, provider: string): string | undefined {
    const { tenant } = call;
    const { decision, reason, policy } = policies.of(body.bundle, bundle).authorize({
      principal: { type: 'Agent', id: body.agent, attrs: { tenant }, attributes: agent?.attributes },
      action: 'model.use',
      resource: { type: 'Model', id: model, attrs: { provider } },
      context: { tenant, label: body.label },
    });
    return decision === 'allow' ? undefined : `policy ${policy}: ${reason}`;
  }
  return {
    refusal,
    permitted(ask, candidates) {
      const denied: Candidate[] = [];
      const checked = candidates.map((candidate): Candidate => {
        const { entry, endpoint, kept } = candidate;
        const reason = kept ? refusal(ask, entry.id, endpoint.provider) : undefined;
        if (reason === undefined) return candidate;
        const without = { ...candidate, targets: [], kept: false, reason };
        denied.push(without);
        return without;
      });
      if (denied.length > 0 && !checked.some(({ kept }) => kept))
        throw new TuttiError(
          'forbidden',
          `no model may be used: ${denied.map(({ entry, reason }) => `${entry.id} (${reason})`).join('; ')}`,
        );
      return checked;
    },
  };
}
