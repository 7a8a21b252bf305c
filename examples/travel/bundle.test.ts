/** The bundle's files: manifests that the contracts accept, names that exist, policies that decide as the README says. */
import { readdirSync } from 'node:fs';
import { isAuthorized, policySetTextToParts, policyToJson } from '@cedar-policy/cedar-wasm/nodejs';
import { AgentManifest, ToolSource } from '@tutti/contracts';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { read, readYaml } from './testing.ts';

const CALENDAR_TOOLS = ['list_events', 'check_availability', 'add_event', 'remove_event'];

function flightsSource() {
  const source = readYaml('tools/flights.yaml');
  return ToolSource.parse({ ...source, document: readYaml(String(source.document)) });
}

function operationIds(): string[] {
  const { paths } = readYaml<{ paths: Record<string, Record<string, { operationId: string }>> }>(
    'servers/flights/openapi.yaml',
  );
  return Object.values(paths).flatMap((item) => Object.values(item).map((o) => o.operationId));
}

test('the agent is a manifest, its tools and collections exist', () => {
  const manifest = readYaml('agents/travel.yaml');
  const instructions = read(String(manifest.instructions));
  expect(instructions.length).toBeGreaterThan(500);
  const agent = AgentManifest.parse({ ...manifest, instructions });
  const builtin = readYaml<{ allow: string[] }>('tools/builtin.yaml').allow;
  expect([...agent.tools].sort()).toEqual([...operationIds(), ...CALENDAR_TOOLS, ...builtin].sort());
  for (const collection of agent.knowledge) {
    expect(readdirSync(new URL(`knowledge/${collection}`, import.meta.url)).length).toBeGreaterThan(4);
  }
});

test('tool sources are manifests; every override names a tool, a probe is pure, an undo exists', () => {
  const flights = flightsSource();
  expect(Object.keys(flights.tools).sort()).toEqual(operationIds().sort());
  for (const override of Object.values(flights.tools)) {
    if (override.probe) expect(flights.tools[override.probe.tool]?.effect).toBe('pure');
    const { undo } = override;
    if (undo) expect(flights.tools[typeof undo === 'string' ? undo : undo.tool]).toBeDefined();
  }
  expect(flights.tools.bookFlight).toMatchObject({ effect: 'irreversible', tags: ['spends-money'] });
  expect(Object.keys(ToolSource.parse(readYaml('tools/calendar.yaml')).tools).sort()).toEqual(
    [...CALENDAR_TOOLS].sort(),
  );
  ToolSource.parse(readYaml('tools/builtin.yaml'));
});

test('tutti.yaml names the bundle and its helper servers', () => {
  expect(readYaml('tutti.yaml')).toEqual({
    name: 'travel',
    collections: {
      'travel-policy': { labels: { integrity: 'tool:trusted', confidentiality: 'internal' } },
      destinations: { labels: { integrity: 'tool:trusted', confidentiality: 'public' } },
    },
    servers: [{ name: 'flights', command: ['node', 'servers/flights/main.ts'], portEnv: 'PORT', ready: '/healthz' }],
  });
});

test('every document has a title, and every clause of the policy stands in one sentence or two of its own', () => {
  const clauses: string[] = [];
  for (const collection of ['travel-policy', 'destinations']) {
    for (const file of readdirSync(new URL(`knowledge/${collection}`, import.meta.url))) {
      const [, front, body] = /^---\n(.*?)\n---\n(.*)$/s.exec(read(`knowledge/${collection}/${file}`)) ?? [];
      expect((parse(front ?? '') as { title?: string })?.title, file).toBeTruthy();
      clauses.push(...(body?.match(/^§ \d+\.\d+ [A-Z].*\.$/gm) ?? []));
    }
  }
  expect(clauses.length).toBeGreaterThan(40);
  expect(new Set(clauses.map((c) => c.split(' ')[1])).size).toBe(clauses.length);
  expect(clauses.find((c) => c.startsWith('§ 3.2'))).toContain('EUR 1,400');
});

/** Decides a call under this bundle's policies, beside a built-in policy that would permit everything. */
function decide(tool: string, tags: string[], effect: string, approved: boolean) {
  const answer = isAuthorized({
    principal: { type: 'Agent', id: 'travel' },
    action: { type: 'Action', id: 'tool.call' },
    resource: { type: 'Tool', id: tool },
    context: { approved },
    policies: { staticPolicies: `permit (principal, action, resource);\n${read('policies/travel.cedar')}` },
    entities: [{ uid: { type: 'Tool', id: tool }, attrs: { effect, tags, source: 'flights' }, parents: [] }],
  });
  if (answer.type !== 'success') throw new Error(JSON.stringify(answer.errors));
  expect(answer.response.diagnostics.errors).toEqual([]);
  return answer.response.decision;
}

test('the policy parses, and carries what an approval needs to know', () => {
  const parts = policySetTextToParts(read('policies/travel.cedar'));
  if (parts.type !== 'success') throw new Error(JSON.stringify(parts.errors));
  expect(parts.policies).toHaveLength(1);
  const policy = policyToJson(parts.policies[0]!);
  if (policy.type !== 'success') throw new Error(JSON.stringify(policy.errors));
  expect(policy.json.annotations).toEqual({
    id: 'booking-needs-a-human',
    reason: 'Booking spends money and cannot be undone: a human decides.',
    approval: 'required',
    expires: '72h',
  });
});

test('booking needs a human; searching, holding and cancelling do not', () => {
  expect(decide('bookFlight', ['spends-money'], 'irreversible', false)).toBe('deny');
  expect(decide('bookFlight', ['spends-money'], 'irreversible', true)).toBe('allow');
  expect(decide('searchFlights', [], 'pure', false)).toBe('allow');
  expect(decide('holdFlight', [], 'keyed', false)).toBe('allow');
  expect(decide('cancelBooking', ['cancels-booking'], 'keyed', false)).toBe('allow');
});
