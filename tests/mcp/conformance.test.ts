/** Some of `npm run mcp` in every test run: one scenario of each kind. */
import { describe, expect, it } from 'vitest';
import { listScenarios, NOT_APPLICABLE, runScenario } from './scenarios.ts';

describe('the MCP conformance suite', () => {
  it('has the scenarios that are said not to apply', async () => {
    const names = (await listScenarios()).map(({ scenario }) => scenario);
    expect(names.length).toBeGreaterThan(20);
    expect(names).toEqual(expect.arrayContaining(Object.keys(NOT_APPLICABLE)));
  }, 60_000);

  it.each([
    'initialize',
    'tools_call',
    'request-metadata',
    'sse-retry',
    'auth/scope-step-up',
    'auth/client-credentials-jwt',
  ])(
    '%s',
    async (scenario) => {
      const outcome = await runScenario(scenario);
      expect(outcome.ok, outcome.output).toBe(true);
    },
    90_000,
  );
});
