/** The retriever as others see it: documents published to a real NATS, questions asked over it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BUCKETS, Bundle, STREAMS, subjects } from '@tutti/contracts';
import {
  type Bus,
  type Caller,
  connectNatsBus,
  createBundleStore,
  createCaller,
  createLogger,
  type StartedService,
  startService,
} from '@tutti/runtime';
import { startTestNats, type TestNats, until } from '@tutti/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { DEAD_LETTERS_SUBJECT } from './dead-letters.ts';
import { retrieverService } from './service.ts';
import { collections, corpus, encode, note, questions, type TestDocument } from './testing/corpus.ts';

let nats: TestNats;
let bus: Bus;
let caller: Caller;
const folders: string[] = [];
const running = new Set<StartedService>();
const log = createLogger({}, { level: 'silent' });

beforeAll(async () => {
  nats = await startTestNats();
  bus = await connectNatsBus({ url: nats.url, name: 'test', log });
  caller = createCaller(bus, log);
});
afterEach(async () => {
  for (const service of running) await stop(service);
});
afterAll(async () => {
  caller.close();
  await bus.close();
  await nats.stop();
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tutti-retriever-'));
  folders.push(folder);
  return folder;
}
async function start(data = newFolder(), extra: Record<string, string> = {}): Promise<StartedService> {
  const env = { NATS_URL: nats.url, TUTTI_DATA: data, TUTTI_LOG_LEVEL: 'silent', ...extra };
  const service = await startService(retrieverService, { env });
  running.add(service);
  await until('the retriever to be ready', () => service.ready());
  return service;
}
async function stop(service: StartedService): Promise<void> {
  running.delete(service);
  await service.stop();
}
const publish = (tenant: string, document: TestDocument & { deleted?: boolean }) =>
  bus.append(subjects.document(tenant, document.collection, document.id), encode(document));
const search = async (tenant: string, query: string, names = ['notes'], limit = 5) =>
  (await caller.call('search', { collections: names, query, limit }, { tenant, timeoutMs: 20_000 })).passages;
const documents = (
  tenant: string,
  body: { collection?: string; document?: string; after?: string; limit?: number } = {},
) => caller.call('documents', body, { tenant, timeoutMs: 20_000 });
const found = (tenant: string, query: string, count: number) =>
  until(`${count} passages for "${query}"`, async () => (await search(tenant, query)).length === count);
const indexFile = (data: string) => join(data, 'retriever', 'index', 'index-0.sqlite');

describe('retriever', () => {
  it('indexes what is published, and follows changes and deletions', async () => {
    await start();
    for (const document of corpus) await publish('acme', document);
    await until('all documents', async () => (await documents('acme')).documents.length === corpus.length);
    for (const { question, document } of questions.slice(0, 10)) {
      const passages = await search('acme', question, collections);
      expect(passages.map((p) => `${p.collection}/${p.document}`)).toContain(document);
    }
    const revision = await publish('acme', note('canteen', 'The canteen opens at noon.'));
    await found('acme', 'canteen', 1);
    expect((await documents('acme', { collection: 'notes', document: 'canteen' })).documents).toEqual([
      {
        collection: 'notes',
        id: 'canteen',
        title: 'Note canteen',
        chunks: 1,
        revision,
        text: 'The canteen opens at noon.',
      },
    ]);
    await publish('acme', note('canteen', 'The canteen opens at eleven.'));
    await until('the change', async () => (await search('acme', 'canteen'))[0]?.text.includes('eleven'));
    await publish('acme', { ...note('canteen', ''), deleted: true });
    await found('acme', 'canteen', 0);
  });

  it('keeps tenants apart', async () => {
    await start();
    await publish('north', note('one', 'The zebra of the north'));
    await publish('south', note('one', 'The zebra of the south'));
    await found('north', 'zebra', 1);
    await found('south', 'zebra', 1);
    expect((await search('north', 'zebra south'))[0]!.text).toBe('The zebra of the north');
    expect(await search('east', 'zebra')).toEqual([]);
    expect((await documents('north')).documents.map((d) => d.id)).toEqual(['one']);
    expect((await documents('east')).documents).toEqual([]);
  });

  it('lists by pages', async () => {
    await start();
    const seen: string[] = [];
    let after: string | undefined;
    do {
      const page = await documents('acme', { limit: 7, ...(after ? { after } : {}) });
      expect(page.documents.length).toBeLessThanOrEqual(7);
      seen.push(...page.documents.map((d) => `${d.collection}/${d.id}`));
      after = page.next ?? undefined;
    } while (after);
    expect(seen).toEqual(corpus.map((d) => `${d.collection}/${d.id}`).sort());
  });

  it('goes on where it was with the index that it kept, and applies what it missed', async () => {
    const data = newFolder();
    await publish('kept', note('a', 'zebra one'));
    await publish('kept', note('b', 'zebra two'));
    const first = await start(data);
    await found('kept', 'zebra', 2);
    await stop(first);
    await publish('kept', { ...note('a', ''), deleted: true });
    await publish('kept', note('c', 'zebra three'));
    await start(data);
    expect((await search('kept', 'zebra')).map((p) => p.document).sort()).toEqual(['b', 'c']);
  });

  it('makes a damaged index anew from the log before it is ready', async () => {
    const data = newFolder();
    const first = await start(data);
    const expected = await search('acme', questions[0]!.question, collections);
    expect(expected.length).toBeGreaterThan(0);
    await stop(first);
    const bytes = readFileSync(indexFile(data));
    writeFileSync(indexFile(data), bytes.fill(0x2a, 4_096));
    await start(data);
    expect(await search('acme', questions[0]!.question, collections)).toEqual(expected);
  });

  it('a replica that comes later answers the same as one that was always there', async () => {
    const early = await start();
    await publish('twins', note('a', 'zebra draft'));
    await publish('twins', note('a', 'zebra final'));
    await publish('twins', note('b', 'zebra giraffe'));
    await found('twins', 'zebra', 2);
    const answers = async () => [await search('twins', 'zebra giraffe'), await documents('twins')];
    const before = await answers();
    await start();
    await stop(early);
    expect(await answers()).toEqual(before);
  });

  it('puts what it cannot read into the dead letters and goes on', async () => {
    const service = await start();
    await publish('poison', note('a', 'zebra one'));
    await bus.append(subjects.document('poison', 'notes', 'bad'), new TextEncoder().encode('{"id":'));
    await publish('poison', note('b', 'zebra two'));
    await found('poison', 'zebra', 2);
    const letter = await until('the dead letter', () => bus.last(STREAMS.deadLetters.name, DEAD_LETTERS_SUBJECT));
    expect(JSON.parse(new TextDecoder().decode(letter.data))).toMatchObject({ kind: 'record', payload: '{"id":' });
    expect((await documents('poison')).documents.map((d) => d.id)).toEqual(['a', 'b']);
    await stop(service);
    const last = (await bus.last(STREAMS.deadLetters.name, DEAD_LETTERS_SUBJECT))!.sequence;
    await start();
    expect((await documents('poison')).documents.map((d) => d.id)).toEqual(['a', 'b']);
    expect((await bus.last(STREAMS.deadLetters.name, DEAD_LETTERS_SUBJECT))!.sequence).toBe(last);
  });

  it('refuses too many collections with a reason', async () => {
    await start(newFolder(), { TUTTI_RETRIEVER_SEARCH_COLLECTIONS_MAX: '2' });
    await expect(search('acme', 'x', ['a', 'b', 'c'])).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringContaining('TUTTI_RETRIEVER_SEARCH_COLLECTIONS_MAX'),
    });
  });

  it('does not believe an index that was made from another server', async () => {
    const data = newFolder();
    const here = await start(data);
    await stop(here);
    const other = await startTestNats();
    const otherBus = await connectNatsBus({ url: other.url, name: 'other', log });
    const service = await startService(retrieverService, {
      env: { NATS_URL: other.url, TUTTI_DATA: data, TUTTI_LOG_LEVEL: 'silent' },
    });
    try {
      await until('the retriever to be ready', () => service.ready());
      const otherCaller = createCaller(otherBus, log);
      const { documents: list } = await otherCaller.call('documents', {}, { tenant: 'acme', timeoutMs: 20_000 });
      expect(list).toEqual([]);
      otherCaller.close();
    } finally {
      await service.stop();
      await otherBus.close();
      await other.stop();
    }
  });

  it('goes on after the server was killed and came back', async () => {
    const service = await start();
    await publish('phoenix', note('a', 'zebra'));
    await found('phoenix', 'zebra', 1);
    process.kill(nats.server.pid, 'SIGKILL');
    await until('a document to be stored again', () => publish('phoenix', note('b', 'zebra again')));
    await until('both documents', async () => (await search('phoenix', 'zebra')).length === 2);
    expect(service.ready()).toBe(true);
  });
});

describe('the policy gate', () => {
  const bundle = Bundle.parse({
    v: 1,
    name: 'test',
    agents: { clerk: { name: 'clerk', instructions: '' }, auditor: { name: 'auditor', instructions: '' } },
    tools: {},
    collections: { open: { name: 'open', labels: { integrity: 'tool:trusted', confidentiality: 'public' } } },
    policies: {
      'hr.cedar': `@id("hr-is-for-auditors") @reason("Salaries are not for everybody.")
        forbid (principal, action == Action::"knowledge.read", resource == Collection::"hr")
        when { principal != Agent::"auditor" };`,
    },
  });

  it('keeps collections from agents, and labels what it lets through', async () => {
    await start();
    const hash = await createBundleStore(() => bus.bucket(BUCKETS.bundles)).apply('gated', bundle);
    for (const collection of ['open', 'hr'])
      await publish('gated', note('zebra', `The zebra of ${collection}`, collection));
    const ask = (agent: string, collections: string[]) =>
      caller.call(
        'search',
        { collections, query: 'zebra', limit: 5, bundle: hash, agent },
        { tenant: 'gated', timeoutMs: 20_000 },
      );
    await until('both', async () => (await ask('auditor', ['open', 'hr'])).passages.length === 2);
    const { passages, withheld } = await ask('clerk', ['open', 'hr']);
    expect(passages).toMatchObject([{ collection: 'open', label: { integrity: 'tool:trusted', confidentiality: [] } }]);
    expect(withheld).toEqual([{ what: 'hr', reason: 'Salaries are not for everybody.', policy: 'hr-is-for-auditors' }]);
    expect((await ask('clerk', ['hr'])).passages).toEqual([]);
    const seen = await ask('auditor', ['hr']);
    expect(seen.passages).toMatchObject([{ label: { integrity: 'untrusted', confidentiality: ['internal'] } }]);
    expect(seen).not.toHaveProperty('withheld');
  });
});
