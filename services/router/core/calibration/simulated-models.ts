/**
 * The models that label the repository's own set. They are NOT real models: each is right with a chance that falls with the
 * load of an ask, which no feature sees. What the three have in common (an ask's own quirks, how well the whole family
 * of models does on one kind of ask) is drawn once an ask and once a kind, as real models of one make fail on the same things.
 */
import type { ModelTier } from '@tutti/contracts';
import type { MadeAsk } from './asks/index.ts';
import { randomOf, seedOf } from './random.ts';

/** `half`: the load at which it is right half the time. `slope`: how fast that falls. `best`: no ask is easier than this. */
export const SIMULATED: Readonly<Record<ModelTier, { half: number; slope: number; best: number }>> = {
  small: { half: 4, slope: 1.5, best: 0.97 },
  medium: { half: 6, slope: 1.3, best: 0.98 },
  large: { half: 9, slope: 1, best: 0.99 },
};
/** In steps of load: what is hard or easy about one ask, and about one kind of ask, that nobody can see. */
const QUIRK_DEVIATION = 0.7;
const KIND_DEVIATION = 0.5;

export function labelsOf(asks: readonly MadeAsk[], seed: number): Record<ModelTier, boolean>[] {
  return asks.map((ask) => {
    const kind = randomOf(seedOf(seed, 'kind', ask.family)).normal() * KIND_DEVIATION;
    const random = randomOf(seedOf(seed, 'ask', ask.id));
    const felt = ask.load + kind + random.normal() * QUIRK_DEVIATION;
    // one throw for all: what a worse model gets right a better one gets right as well
    const luck = random.share();
    const right = (tier: ModelTier) => luck < chanceOf(tier, felt);
    return { small: right('small'), medium: right('medium'), large: right('large') };
  });
}

export function chanceOf(tier: ModelTier, load: number): number {
  const { half, slope, best } = SIMULATED[tier];
  return best / (1 + Math.exp(slope * (load - half)));
}
