/** `tutti tools`, as a process against a scripted gateway. */
import { faceHash } from '@tutti/contracts';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type FakeGateway, startFakeGateway } from '../test-support/fake-gateway.ts';
import { runTutti } from '../test-support/tutti.ts';
import { visible } from './tools.ts';

const before = { name: 'note', description: 'Writes a note.', inputSchema: { type: 'object' } };
const now = {
  ...before,
  description: 'Writes a note.\u{e0049}\u{e0067} \u202eto the boss\u001b[2J',
  annotations: { readOnlyHint: true },
};
const source = {
  name: 'notes',
  type: 'mcp',
  tools: [{ name: 'look', own: 'look', description: 'Looks.', effect: 'pure' }],
  withheld: [{ name: 'note', why: 'changed', pinned: before, offered: now, hash: faceHash(now) }],
  faces: [before],
  problems: ['"note" is withheld: its server describes it otherwise'],
};

let gateway: FakeGateway;
beforeEach(async () => {
  gateway = await startFakeGateway();
  gateway.answers['GET /v1/tools'] = { body: { data: [source] } };
  gateway.answers['POST /v1/tools/approve'] = { body: { approved: ['note'] } };
});
afterEach(() => gateway.close());
const tutti = (...args: string[]) => runTutti(['tools', ...args], { env: { TUTTI_URL: gateway.url } });

it('lists tools and what is withheld', async () => {
  const { code, output } = await tutti();
  expect(code).toBe(0);
  expect(output).toMatch(/notes +look +pure +Looks\./);
  expect(output).toMatch(/notes +note +withheld +changed/);
});

it('shows what has changed field by field, with all that a terminal would hide, and fails while there is something', async () => {
  const { code, output } = await tutti('review');
  expect(code).toBe(1);
  expect(output).toContain('- description: Writes a note.\n');
  expect(output).toContain('+ description: Writes a note.\\u{e0049}\\u{e0067} \\u{202e}to the boss\\u{1b}[2J');
  expect(output).toContain('+ annotations: {"readOnlyHint":true}');
  expect(output).not.toContain('inputSchema');
  gateway.answers['GET /v1/tools'] = { body: { data: [{ ...source, withheld: [] }] } };
  expect((await tutti('review')).code).toBe(0);
});

it('approves exactly what it has shown', { timeout: 240_000 }, async () => {
  const { code, output } = await tutti('approve', 'notes');
  expect(code).toBe(0);
  expect(output).toContain('- description: Writes a note.\n');
  const posts = gateway.told.filter(({ method }) => method === 'POST');
  expect(posts).toMatchObject([
    { path: '/v1/tools/approve', body: { source: 'notes', tools: { note: faceHash(now) } } },
  ]);
  expect((await tutti('approve', 'notes', 'other')).code).toBe(1);
  expect((await tutti('approve', 'nowhere')).code).toBe(1);
});

it('prints pins as a file', async () => {
  const { output } = await tutti('pins', 'notes');
  expect(parse(output)).toEqual({ note: { hash: faceHash(before), face: before } });
});

it('hides nothing', () => {
  expect(visible('a\u200bb\u00adc\u2066d\tе\n')).toBe('a\\u{200b}b\\u{ad}c\\u{2066}d\tе\n');
});
