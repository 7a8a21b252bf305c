/** `tutti policy test` and `tutti policy explain`: what a bundle's policies decide, and what they decided. */
import { policyEngineOf, runPolicyCase } from '@tutti/policy';
import { z } from 'zod';
import { loadBundle } from '../bundle/load.ts';
import { CASES_FOLDER, loadPolicyCases } from '../bundle/policy-cases.ts';
import { oneLine, safe } from '../chat/format.ts';
import { createApi } from '../client/api.ts';
import { EXIT } from '../report.ts';
import { bold, dim, green, plural, red, yellow } from '../style.ts';

const REASON_CHARS_MAX = 160;
const VALUE_CHARS_MAX = 2_000;

/** Needs no running Tutti. Exit code 1 where a case fails or there is none. */
export async function policyTestCommand(dir: string): Promise<number> {
  const { bundle } = loadBundle(dir);
  const engine = policyEngineOf(bundle);
  const files = loadPolicyCases(dir);
  let [passed, failed] = [0, 0];
  for (const { file, cases } of files) {
    console.log(dim(file));
    for (const test of cases) {
      const { name, problems, decision } = runPolicyCase(bundle, engine, test);
      if (problems.length === 0) passed += 1;
      else failed += 1;
      const answer = decision ? dim(`${decision.decision}, policy ${safe(decision.policy)}`) : '';
      console.log(`  ${problems.length === 0 ? green('✓') : red('✗')} ${oneLine(name, REASON_CHARS_MAX)}  ${answer}`);
      for (const problem of problems) console.log(`      ${red(safe(problem))}`);
    }
  }
  if (passed + failed === 0) {
    console.error(`${red('tutti:')} there are no cases: add ${CASES_FOLDER}/<name>.yaml (see examples/travel)`);
    return EXIT.failed;
  }
  console.log(`${plural(passed + failed, 'case')}, ${passed} passed, ${failed} failed`);
  return failed === 0 ? EXIT.ok : EXIT.failed;
}

const Explanation = z.object({
  call: z.string(),
  run: z.string(),
  agent: z.string(),
  tool: z.string(),
  arguments: z.record(z.string(), z.unknown()),
  label: z.object({ integrity: z.string(), confidentiality: z.array(z.string()) }).nullable(),
  done: z.object({ calls: z.number(), effects: z.number(), tools: z.record(z.string(), z.number()) }).nullable(),
  decisions: z.array(
    z.object({
      at: z.string(),
      decision: z.string(),
      policy: z.string().nullable(),
      by: z.string().nullable(),
      reason: z.string(),
    }),
  ),
  policies: z.array(z.object({ id: z.string(), file: z.string(), reason: z.string().nullable(), text: z.string() })),
  ledger: z.object({ kind: z.string(), attempt: z.number(), at: z.string() }).nullable(),
});

/** Exit code 1 where no policy has decided about the call (yet). */
export async function policyExplainCommand(call: string, options: { url?: string; run?: string }): Promise<number> {
  const query = options.run === undefined ? '' : `?run=${encodeURIComponent(options.run)}`;
  const path = `/v1/calls/${encodeURIComponent(call)}/decisions${query}`;
  const said = Explanation.parse(await createApi(options.url).get(path));
  console.log(`${bold(safe(said.tool))} ${dim(`by agent ${safe(said.agent)}, run ${said.run}`)}`);
  console.log(`  arguments  ${oneLine(JSON.stringify(said.arguments), VALUE_CHARS_MAX)}`);
  if (said.label) {
    const { integrity, confidentiality } = said.label;
    console.log(
      `  led to by  ${integrity}; ${confidentiality.length > 0 ? confidentiality.map(safe).join(', ') : 'public'}`,
    );
  }
  if (said.done) {
    const { calls, effects, tools } = said.done;
    const names = Object.entries(tools).map(([name, times]) => `${safe(name)} ×${times}`);
    console.log(
      `  done then  ${plural(calls, 'call')}, ${effects} not pure${names.length > 0 ? `: ${names.join(', ')}` : ''}`,
    );
  }
  for (const { at, decision, policy, by, reason } of said.decisions) {
    const colour = /deny|denied|expired|cancelled/.test(decision) ? red : decision === 'approval' ? yellow : green;
    const whose = policy === null ? (by === null ? '' : `by ${safe(by)}`) : `policy ${safe(policy)}`;
    console.log(
      `  ${dim(at)}  ${colour(decision.padEnd(8))}  ${whose}${reason ? `: ${oneLine(reason, REASON_CHARS_MAX)}` : ''}`,
    );
  }
  if (said.ledger)
    console.log(`  ${dim(said.ledger.at)}  ledger    ${said.ledger.kind}, attempt ${said.ledger.attempt}`);
  for (const { id, file, text } of said.policies) {
    console.log(`\n${dim(`${safe(file)}: ${safe(id)}`)}\n${safe(text.trim())}`);
  }
  if (said.decisions.length > 0) return EXIT.ok;
  console.log(yellow('no policy has decided about this call: it is under way, or it failed before'));
  return EXIT.failed;
}
