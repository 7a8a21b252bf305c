/** The guard against requests into private networks: forms of addresses, names that change, redirects, grants. */
import type { lookup } from 'node:dns';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { notPublicBecause } from './addresses.ts';
import { createGrants, NO_GRANTS, parseGrants } from './grants.ts';
import { createOutbound, readText } from './outbound.ts';

let server: Server;
let port: number;
let hits = 0;
beforeAll(async () => {
  server = createServer((request, response) => {
    hits += 1;
    if (request.url === '/hop') return void response.writeHead(302, { location: `http://127.0.0.1:${port}/` }).end();
    if (request.url === '/huge') return void response.end('x'.repeat(500_000));
    response.end('inside');
  });
  // Both families where there are both: what is not refused would be answered.
  await new Promise<void>((resolve) => server.listen(0, resolve));
  port = (server.address() as AddressInfo).port;
});
afterAll(() => void server.close());

/** A resolver that knows the names of a table, each with the answers of one lookup after another. */
function resolver(table: Record<string, string[][]>): { resolve: typeof lookup; asked: string[] } {
  const asked: string[] = [];
  const resolve = ((name: string, _options: object, callback: (error: Error | null, found: object[]) => void) => {
    asked.push(name);
    const answers = table[name];
    const answer = answers && (answers.length > 1 ? answers.shift() : answers[0]);
    if (!answer) return callback(Object.assign(new Error('no such name'), { code: 'ENOTFOUND' }), []);
    const found = answer.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
    setImmediate(() => callback(null, found));
  }) as never as typeof lookup;
  return { resolve, asked };
}

async function outcome(url: string, grants = NO_GRANTS, table: Record<string, string[][]> = {}): Promise<string> {
  if (!URL.canParse(url)) return 'no URL';
  const outbound = createOutbound(grants, resolver(table).resolve);
  try {
    const response = await outbound.fetch(new URL(url), { signal: AbortSignal.timeout(3_000) });
    return (await readText(response, 1_000)).text;
  } catch (error) {
    const { name, cause } = error as Error & { cause?: Error };
    return cause?.name === 'OutboundRefused' ? 'refused' : name === 'OutboundRefused' ? 'refused' : `${name} ${cause}`;
  } finally {
    await outbound.close();
  }
}

/** As somebody may write them in a URL; `PORT` is a server that would answer on loopback. */
const LITERALS = [
  'http://127.0.0.1:PORT/',
  'http://127.0.0.1.:PORT/',
  'http://127.1:PORT/',
  'http://127.0.1:PORT/',
  'http://127.255.255.254:PORT/',
  'http://2130706433:PORT/',
  'http://0x7f000001:PORT/',
  'http://0x7f.1:PORT/',
  'http://0x7f.0x0.0x0.0x1:PORT/',
  'http://017700000001:PORT/',
  'http://0177.0.0.1:PORT/',
  'http://0177.0.0.01:PORT/',
  'http://00000177.0.0.1:PORT/',
  'http://127.0.0.0x1:PORT/',
  'http://１２７.０.０.１:PORT/',
  'http://127。0。0。1:PORT/',
  'http://①②⑦.⓪.⓪.①:PORT/',
  'http://%31%32%37.0.0.1:PORT/',
  'http://0:PORT/',
  'http://0.0.0.0:PORT/',
  'http://0x0:PORT/',
  'http://[::1]:PORT/',
  'http://[0:0:0:0:0:0:0:1]:PORT/',
  'http://[0000:0000:0000:0000:0000:0000:0000:0001]:PORT/',
  'http://[::]:PORT/',
  'http://[::ffff:127.0.0.1]:PORT/',
  'http://[::ffff:7f00:1]:PORT/',
  'http://[0:0:0:0:0:ffff:127.0.0.1]:PORT/',
  'http://[::ffff:0:127.0.0.1]:PORT/',
  'http://[::127.0.0.1]:PORT/',
  'http://[::7f00:1]:PORT/',
  'http://[64:ff9b::127.0.0.1]:PORT/',
  'http://[64:ff9b::a9fe:a9fe]/',
  'http://[64:ff9b:1::7f00:1]/',
  'http://[2002:7f00:1::]/',
  'http://[2002:a9fe:a9fe::1]/',
  'http://[2001:0:7f00:1::1]/',
  'http://10.0.0.1/',
  'http://10.255.255.255/',
  'http://0xa000001/',
  'http://167772161/',
  'http://172.16.0.1/',
  'http://172.31.255.255/',
  'http://192.168.0.1/',
  'http://192.168.255.255/',
  'http://[::ffff:10.0.0.1]/',
  'http://[::ffff:c0a8:1]/',
  'http://169.254.169.254/',
  'http://169.254.170.2/',
  'http://2852039166/',
  'http://0xA9FEA9FE/',
  'http://0251.0376.0251.0376/',
  'http://169.254.43518/',
  'http://[::ffff:169.254.169.254]/',
  'http://[fd00:ec2::254]/',
  'http://[fe80::1]/',
  'http://[febf::1]/',
  'http://[fec0::1]/',
  'http://[fc00::1]/',
  'http://[fdff:ffff::1]/',
  'http://100.64.0.1/',
  'http://100.100.100.200/',
  'http://100.127.255.255/',
  'http://168.63.129.16/',
  'http://192.0.0.192/',
  'http://192.0.2.1/',
  'http://192.88.99.1/',
  'http://198.18.0.1/',
  'http://198.19.255.255/',
  'http://198.51.100.1/',
  'http://203.0.113.1/',
  'http://224.0.0.1/',
  'http://239.255.255.255/',
  'http://240.0.0.1/',
  'http://255.255.255.255/',
  'http://[ff02::1]/',
  'http://[100::1]/',
  'http://[2001:db8::1]/',
  'http://[3fff::1]/',
  'http://[5f00::1]/',
  'http://[4000::1]/',
  'http://user:pass@127.0.0.1:PORT/',
  'http://example.com@127.0.0.1:PORT/',
  'http://127.0.0.1:PORT#@example.com/',
  'http:\\\\127.0.0.1:PORT\\',
  'file:///etc/passwd',
  'ftp://127.0.0.1/',
  'gopher://127.0.0.1:PORT/',
  'data:text/plain,x',
];

describe('addresses', () => {
  it('are many', () => expect(LITERALS.length).toBeGreaterThanOrEqual(60));

  it.each(LITERALS)('%s is refused', async (template) => {
    const before = hits;
    expect(['refused', 'no URL']).toContain(await outcome(template.replaceAll('PORT', String(port))));
    expect(hits).toBe(before);
  });

  it.each([
    '8.8.8.8',
    '1.1.1.1',
    '172.15.255.255',
    '172.32.0.1',
    '11.0.0.1',
    '100.63.255.255',
    '100.128.0.1',
    '169.253.1.1',
    '192.167.1.1',
    '223.255.255.254',
    '2606:4700:4700::1111',
    '2a00:1450:4001::1',
  ])('%s is public', (address) => expect(notPublicBecause(address)).toBeUndefined());

  it.each(['fe80::1%eth0', '::1%lo', 'nonsense', ''])('"%s" is not', (address) =>
    expect(notPublicBecause(address)).toBeDefined(),
  );
});

describe('names', () => {
  const url = () => `http://inside.example:${port}/`;
  it.each([
    ['loopback', [['127.0.0.1']]],
    ['loopback, mapped', [['::ffff:127.0.0.1']]],
    ['IPv6 loopback', [['::1']]],
    ['a private one behind a public one', [['93.184.216.34', '10.0.0.1']]],
    ['metadata', [['169.254.169.254']]],
  ])('that resolve to %s are refused', async (_what, answers) => {
    const before = hits;
    expect(await outcome(url(), NO_GRANTS, { 'inside.example': answers })).toBe('refused');
    expect(hits).toBe(before);
  });
  it.each(['localhost', 'localhost.', 'sub.localhost'])('%s is refused', async (name) => {
    expect(await outcome(`http://${name}:${port}/`, NO_GRANTS, { [name]: [['127.0.0.1']] })).toBe('refused');
  });

  it('are looked up once a connection, and that very address is connected to', async () => {
    // A name that is harmless when it is checked and private when it is used: there is no second lookup to fool.
    const { resolve, asked } = resolver({ 'inside.example': [['127.0.0.1'], ['10.0.0.1']] });
    const outbound = createOutbound(createGrants(parseGrants(`127.0.0.1/32`)), resolve);
    const response = await outbound.fetch(new URL(url()), { fresh: true });
    expect(await response.text()).toBe('inside');
    expect(asked).toEqual(['inside.example']);
    const second = outbound.fetch(new URL(url()), { fresh: true });
    await expect(second).rejects.toMatchObject({ cause: { name: 'OutboundRefused' } });
    await outbound.close();
  });
  it('that do not exist are no refusal', async () => {
    expect(await outcome('http://nowhere.invalid/')).toContain('no such name');
  });
});

describe('redirects and sizes', () => {
  const granted = () => createGrants(parseGrants(`127.0.0.1:${port}`));
  it('a redirect is handed back, not followed', async () => {
    const outbound = createOutbound(granted());
    const response = await outbound.fetch(new URL(`http://127.0.0.1:${port}/hop`));
    expect(response.status).toBe(302);
    await response.body?.cancel();
    await outbound.close();
  });
  it('no more is read than the limit', async () => {
    const outbound = createOutbound(granted());
    const response = await outbound.fetch(new URL(`http://127.0.0.1:${port}/huge`));
    expect(await readText(response, 1_000)).toEqual({ text: 'x'.repeat(1_000), cut: true });
    await outbound.close();
  });
});

describe('grants', () => {
  it('name networks, hosts, and hosts with a port; nothing else is open', async () => {
    const at = (host: string) => `http://${host}:${port}/`;
    expect(await outcome(at('127.0.0.1'), createGrants(parseGrants('127.0.0.0/8')))).toBe('inside');
    expect(await outcome(at('127.0.0.1'), createGrants(parseGrants('127.0.0.1')))).toBe('inside');
    expect(await outcome(at('127.0.0.1'), createGrants(parseGrants(`10.0.0.0/8 127.0.0.1:${port}`)))).toBe('inside');
    expect(await outcome(at('2130706433'), createGrants(parseGrants(`127.0.0.1:${port}`)))).toBe('inside');
    expect(await outcome(at('127.0.0.1'), createGrants(parseGrants(`127.0.0.1:${port + 1}`)))).toBe('refused');
    expect(await outcome(at('127.0.0.2'), createGrants(parseGrants(`127.0.0.1:${port}`)))).toBe('refused');
    expect(await outcome(at('127.0.0.1'), createGrants(parseGrants('10.0.0.0/8,::1')))).toBe('refused');
    const names = { 'db.internal': [['127.0.0.1']], 'other.internal': [['127.0.0.1']] };
    expect(await outcome(at('db.internal'), createGrants(parseGrants('db.internal')), names)).toBe('inside');
    expect(await outcome(at('other.internal'), createGrants(parseGrants('db.internal')), names)).toBe('refused');
    expect(await outcome(at('127.0.0.1'), NO_GRANTS.withOrigin(`http://127.0.0.1:${port}`))).toBe('inside');
    expect(await outcome(at('127.0.0.1'), NO_GRANTS.withOrigin('http://127.0.0.1'))).toBe('refused');
  });
  it.each(['10.0.0.0/33', '::/129', 'http://x', 'a/b', 'user@host', '10.0.0/8', 'x:99999'])(
    '"%s" is a mistake',
    (text) => expect(() => parseGrants(text)).toThrow(/is no network/),
  );
});
