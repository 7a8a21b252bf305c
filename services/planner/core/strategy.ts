/**
 * How an agent goes about a goal. `auto` decides for each goal from what can be seen of it: no model is asked, so it
 * costs nothing, and the reason stands in the log. When in doubt it plans: a plan may say that there is nothing to split.
 */
import type { AgentManifest, RunStart, Strategy } from '@tutti/contracts';

/** A goal of at most this many words, with one thing in it, is not worth a plan. */
const SIMPLE_WORDS_MAX = 14;
const ASKS = /^(what|which|who|whose|when|where|why|how|is|are|was|were|does|do|did|can|could|may|should|has|have)\b/i;
const SEVERAL = /\b(and|then|after|afterwards|before|both|each|every|also|plus|compare|as well as)\b|;|\n\s*[-*\d]/i;
/** It leans on what was said before, where there may be several things to do again. */
const LEANS = /\b(it|that|this|them|those|these|again|instead|same|earlier|later|one)\b/i;

export function chooseStrategy(
  agent: AgentManifest,
  start: RunStart,
): { strategy: Exclude<Strategy, 'auto'>; reason: string } {
  if (start.brief) return { strategy: 'react', reason: 'a sub-task of a plan' };
  if (agent.strategy !== 'auto') return { strategy: agent.strategy, reason: 'set by the agent' };
  const helpers = agent.agents?.length ?? 0;
  if (agent.tools.length === 0 && helpers === 0) return { strategy: 'direct', reason: 'the agent has no tools' };
  const goal = start.input.trim();
  const words = goal.split(/\s+/).length;
  if (SEVERAL.test(goal)) return { strategy: 'plan', reason: 'the goal names more than one thing to do' };
  if (LEANS.test(goal)) return { strategy: 'plan', reason: 'the goal refers to what was done before' };
  if (words > SIMPLE_WORDS_MAX) return { strategy: 'plan', reason: `the goal is long (${words} words)` };
  if (ASKS.test(goal)) return { strategy: 'react', reason: 'one short question' };
  return { strategy: 'react', reason: `one short goal (${words} words)` };
}
