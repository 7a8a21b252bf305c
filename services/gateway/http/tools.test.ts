/** Tool sources over HTTP: looking at them, and approving what was shown in the name of whoever asks. */
import { ApproveToolsBody, type SourcesResult } from '@tutti/contracts';
import { defineService, type StartedService, startService } from '@tutti/runtime';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { api } from '../testing/api.ts';
import { BUNDLE, World } from '../testing/world.ts';

const HASH = 'a'.repeat(64);
const SOURCES: SourcesResult = {
  sources: [
    {
      name: 'notes',
      type: 'mcp',
      tools: [],
      withheld: [{ name: 'note', why: 'new', offered: { name: 'note', inputSchema: {} }, hash: HASH }],
      faces: [],
      problems: ['"note" is withheld'],
    },
  ],
};
const asked: { tenant: string; fresh: boolean }[] = [];
const approvals: (z.infer<typeof ApproveToolsBody> & { tenant: string })[] = [];

let world: World;
let tools: StartedService;
let url: string;
beforeAll(async () => {
  world = await World.start();
  await world.apply(BUNDLE);
  ({ url } = await world.gateway({ TUTTI_API_KEYS: 'first-key:default:kim,second-key:default:opa[operator]' }));
  const service = defineService({
    name: 'tools',
    config: z.object({}),
    start: async () => ({
      handlers: {
        sources: async ({ fresh }, { item }) => {
          asked.push({ tenant: item.tenant, fresh });
          return SOURCES;
        },
        approveTools: async (body, { item }) => {
          approvals.push({ ...ApproveToolsBody.parse(body), tenant: item.tenant });
          return { approved: Object.keys(body.tools) };
        },
      },
    }),
  });
  tools = await startService(service, { env: { NATS_URL: world.nats.url, TUTTI_LOG_LEVEL: 'silent' } });
}, 60_000);
afterAll(async () => {
  await tools?.stop();
  await world?.stop();
});
const as = { authorization: 'Bearer first-key' };

it('lists sources with what is withheld', async () => {
  const { status, body } = await api(`${url}/v1/tools?fresh=true`, 'GET', undefined, as);
  expect(status).toBe(200);
  expect(body).toMatchObject({ object: 'list', data: SOURCES.sources });
  expect(asked).toEqual([{ tenant: 'default', fresh: true }]);
  expect((await api(`${url}/v1/tools?fresh=perhaps`, 'GET', undefined, as)).status).toBe(400);
  expect((await api(`${url}/v1/tools`)).status).toBe(401);
});

it('approves by the hash of what was shown, and by nothing less', async () => {
  const approve = (body: object) => api(`${url}/v1/tools/approve`, 'POST', body, as);
  const { status, body } = await approve({ source: 'notes', tools: { note: HASH } });
  expect([status, body]).toEqual([200, { object: 'tools.approved', source: 'notes', approved: ['note'], by: 'kim' }]);
  expect(approvals).toMatchObject([{ tenant: 'default', source: 'notes', tools: { note: HASH }, by: 'kim' }]);
  expect((await approve({ source: 'notes', tools: {} })).status).toBe(400);
  expect((await approve({ source: 'notes', tools: { note: 'any' } })).status).toBe(400);
  expect(approvals.length).toBe(1);
});

it('whoever may not apply the bundle approves nothing', async () => {
  const policy = `@id("operators-apply") @reason("Operators apply.")
    forbid (principal is User, action == Action::"bundle.apply", resource == Bundle::"test") unless { principal.roles.contains("operator") };`;
  await world.apply({ ...BUNDLE, policies: { 'who.cedar': policy } });
  const before = approvals.length;
  const approve = (authorization: string) =>
    api(`${url}/v1/tools/approve`, 'POST', { source: 'notes', tools: { note: HASH } }, { authorization });
  expect(await approve(as.authorization)).toMatchObject({
    status: 403,
    body: { error: { code: 'forbidden', message: expect.stringMatching(/Operators apply.*policy operators-apply/) } },
  });
  expect(approvals.length).toBe(before);
  expect((await approve('Bearer second-key')).status).toBe(200);
  expect(approvals.at(-1)).toMatchObject({ by: 'opa' });
});
