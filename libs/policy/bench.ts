/** How long one decision takes with a bundle of 200 policies: `npx node libs/policy/bench.ts`. Prints, asserts nothing. */
import { createPolicyEngine, type PolicyRequest } from './src/index.ts';

const POLICIES = 200;
const DECISIONS = 5_000;
const engine = createPolicyEngine({
  'many.cedar': Array.from(
    { length: POLICIES },
    (_, i) => `@id("p${i}") forbid (principal, action == Action::"tool.call", resource == Tool::"tool-${i}")
      when { resource.tags.contains("tag-${i}") && !context.approved };`,
  ).join('\n'),
});
const request = (i: number): PolicyRequest => ({
  principal: { type: 'Agent', id: 'travel', attrs: { tenant: 'acme' } },
  action: 'tool.call',
  resource: { type: 'Tool', id: `search-${i}`, attrs: { effect: 'pure', tags: [], source: 'flights' } },
  context: { tenant: 'acme', approved: false },
});
function measure(what: string, question: (i: number) => PolicyRequest): void {
  const times: number[] = [];
  for (let i = 0; i < DECISIONS; i++) {
    const asked = question(i);
    const startedAt = performance.now();
    engine.authorize(asked);
    times.push(performance.now() - startedAt);
  }
  times.sort((a, b) => a - b);
  const at = (share: number) => times[Math.floor(times.length * share)]!.toFixed(4);
  console.log(`${POLICIES} bundle policies, ${DECISIONS} ${what}: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`);
}
measure('new questions', request);
measure('times the same question', () => request(0));
