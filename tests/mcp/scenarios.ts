/** The MCP conformance suite's client scenarios, run against the MCP source one after another. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const SCENARIO_TIMEOUT_MS = 60_000;
const run = promisify(execFile);
const MAIN =
  process.env.MCP_CONFORMANCE ??
  createRequire(import.meta.url).resolve('@modelcontextprotocol/conformance/dist/index.js');
const CLIENT = join(import.meta.dirname, 'client.ts');

/** Scenarios that ask for what Tutti does not claim, with the reason. */
export const NOT_APPLICABLE: Record<string, string> = {
  'elicitation-sep1034-client-defaults':
    'a server may not put questions to a person through Tutti: the client does not declare elicitation',
  'sep-2322-client-request-state':
    'Tutti gives a server no input in the middle of a call: answering would send the call a second time',
  'auth/enterprise-managed-authorization': 'extension: tokens of a company’s identity provider are not exchanged',
  'auth/wif-jwt-bearer': 'extension: identities of workloads are not exchanged',
  'auth/dpop': 'extension: tokens are not bound to keys',
  'auth/dpop-nonce': 'extension: tokens are not bound to keys',
  'sep-2640-client-no-prefetch': 'extension: skills are not read',
  'sep-2640-client-verify-digest': 'extension: skills are not read',
  'sep-2640-client-verify-size': 'extension: skills are not read',
  'sep-2640-client-verify-frontmatter': 'extension: skills are not read',
};

export interface Outcome {
  scenario: string;
  specs: string;
  /** Checks that passed, of those that count. */
  passed: number;
  checks: number;
  ok: boolean;
  output: string;
}

/** Name and protocol revisions of each client scenario that the installed suite has. */
export async function listScenarios(): Promise<{ scenario: string; specs: string }[]> {
  const { stdout } = await run(process.execPath, [MAIN, 'list', '--client'], { timeout: SCENARIO_TIMEOUT_MS });
  const [, ofClients = stdout] = stdout.split(/^Client scenarios.*$/m);
  return [...ofClients.matchAll(/^ {2}- (\S+) \[(.*)\]$/gm)].map((match) => ({
    scenario: match[1]!,
    specs: match[2]!,
  }));
}

export async function runScenario(scenario: string, specs = ''): Promise<Outcome> {
  // The suite writes what it saw into the folder that it runs in.
  const cwd = mkdtempSync(join(tmpdir(), 'tutti-mcp-'));
  const args = [MAIN, 'client', '--command', `${process.execPath} ${CLIENT}`, '--scenario', scenario];
  try {
    const { output, ok } = await run(process.execPath, args, { cwd, timeout: SCENARIO_TIMEOUT_MS }).then(
      ({ stdout, stderr }) => ({ output: `${stdout}${stderr}`, ok: true }),
      (error: { stdout?: string; stderr?: string }) => ({ output: `${error.stdout}${error.stderr}`, ok: false }),
    );
    const counts = /Passed: (\d+)\/(\d+), (\d+) failed/.exec(output);
    const [passed, checks, failed] = counts ? counts.slice(1).map(Number) : [0, 0, 1];
    return { scenario, specs, passed: passed!, checks: checks!, ok: ok && failed === 0 && checks! > 0, output };
  } finally {
    rmSync(cwd, { recursive: true, force: true });
  }
}
