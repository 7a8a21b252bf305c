/**
 * `npm run mcp`: every client scenario of the MCP conformance suite as a table. Exit code 1 when one that applies fails.
 * With names: those alone, with what the suite says of them.
 */
import { listScenarios, NOT_APPLICABLE, runScenario } from './scenarios.ts';

const asked = process.argv.slice(2);
const scenarios = (await listScenarios()).filter(({ scenario }) => asked.length === 0 || asked.includes(scenario));
let passed = 0;
let failed = 0;
console.log('| scenario | protocol | checks | |\n| --- | --- | --- | --- |');
for (const { scenario, specs } of scenarios) {
  const why = NOT_APPLICABLE[scenario];
  if (why && asked.length === 0) {
    console.log(`| \`${scenario}\` | ${specs} | | does not apply: ${why} |`);
    continue;
  }
  const outcome = await runScenario(scenario, specs);
  if (outcome.ok) passed += 1;
  else failed += 1;
  console.log(
    `| \`${scenario}\` | ${specs} | ${outcome.passed} of ${outcome.checks} | ${outcome.ok ? 'passed' : 'FAILED'} |`,
  );
  if (asked.length > 0 || !outcome.ok) console.error(outcome.output);
}
console.log(
  `\nscenarios ${scenarios.length}, passed ${passed}, failed ${failed}, not applicable ${scenarios.length - passed - failed}`,
);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
