/** Dates, pages and programs. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createGrants, NO_GRANTS, parseGrants } from '../outbound/grants.ts';
import { createOutbound } from '../outbound/outbound.ts';
import { dateMath } from './date-math.ts';
import { createFetchPage } from './fetch-page.ts';
import { runJavascript } from './run-javascript.ts';

const options = (more: object = {}) => ({ signal: AbortSignal.timeout(60_000), timeoutMs: 30_000, ...more });

describe('date_math', () => {
  it.each([
    [
      'a leap day',
      { start: '2028-02-28', add: { days: 1 } },
      { result: '2028-02-29T00:00:00+00:00', weekday: 'Tuesday' },
    ],
    ['the end of a month', { start: '2027-01-31', add: { months: 1 } }, { result: '2027-02-28T00:00:00+00:00' }],
    [
      'a day over the change of the clock',
      { start: '2027-03-27T12:00', timeZone: 'Europe/Berlin', add: { days: 1 } },
      { result: '2027-03-28T12:00:00+02:00' },
    ],
    [
      '24 hours over it',
      { start: '2027-03-27T12:00', timeZone: 'Europe/Berlin', add: { hours: 24 } },
      { result: '2027-03-28T13:00:00+02:00' },
    ],
    [
      'back',
      { start: '2027-03-01', add: { days: -1 } },
      { result: '2027-02-28T00:00:00+00:00', dayOfYear: 59, week: 8 },
    ],
    [
      'what lies between',
      { start: '2027-05-12', until: '2027-05-16' },
      { difference: { days: 4, calendar: 'P4D', hours: 96 } },
    ],
    [
      'another zone',
      { start: '2027-05-12T06:40:00Z', toTimeZone: 'Asia/Tokyo' },
      { converted: '2027-05-12T15:40:00+09:00' },
    ],
  ])('%s', (_what, args, expected) => expect(dateMath(args).data).toMatchObject(expected));
  it.each([{ start: 'soon' }, { start: '2027-02-30' }, { start: '2027-01-01', timeZone: 'Mars/Olympus' }])(
    'says what is wrong with %j',
    (args) => expect(dateMath(args)).toMatchObject({ isError: true, content: /cannot be reckoned/ }),
  );
});

describe('fetch_page', () => {
  const ARTICLE = `<html><head><title>News of tea</title><script>alert(1)</script></head><body><nav>Menu</nav>
    <article><h1>Tea</h1>${'<p>Tea is made of leaves, and leaves grow on bushes in the hills. It is drunk hot.</p>'.repeat(20)}
    </article><p hidden>secret order</p></body></html>`;
  let server: Server;
  let base: string;
  const seen: { url: string | undefined; headers: object }[] = [];
  beforeAll(async () => {
    server = createServer((request, response) => {
      seen.push({ url: request.url, headers: request.headers });
      const html = { 'content-type': 'text/html; charset=utf-8' };
      if (request.url === '/article') return void response.writeHead(200, html).end(ARTICLE);
      if (request.url === '/hop') return void response.writeHead(302, { location: '/article' }).end();
      if (request.url === '/loop') return void response.writeHead(302, { location: '/loop' }).end();
      if (request.url === '/inside')
        return void response.writeHead(302, { location: 'http://169.254.169.254/latest/meta-data/' }).end();
      if (request.url === '/file') return void response.writeHead(302, { location: 'file:///etc/passwd' }).end();
      if (request.url === '/image') return void response.writeHead(200, { 'content-type': 'image/png' }).end('x');
      if (request.url === '/long')
        return void response.writeHead(200, { 'content-type': 'text/plain' }).end('y'.repeat(50_000));
      if (request.url === '/data')
        return void response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
      response.writeHead(404, html).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => void server.close());
  const outbound = () => createOutbound(createGrants(parseGrants(base.slice('http://'.length))));
  const read = (path: string) =>
    createFetchPage({ outbound: outbound(), responseBytesMax: 20_000 })({ url: `${base}${path}` }, options());

  it('gives the article, its title and where it was found, without scripts and what is hidden', async () => {
    const { data } = (await read('/hop')) as { data: { url: string; title: string; text: string; cut: boolean } };
    expect(data).toMatchObject({ url: `${base}/article`, title: 'News of tea', cut: false });
    expect(data.text).toContain('Tea is made of leaves');
    expect(data.text).not.toMatch(/alert|secret order|Menu/);
    expect(seen.at(-1)!.headers).not.toHaveProperty('cookie');
    expect(seen.at(-1)!.headers).not.toHaveProperty('authorization');
  });
  it('reads text and data as they are, up to the limit', async () => {
    expect((await read('/data')).data).toMatchObject({ text: '{}' });
    expect((await read('/long')).data).toMatchObject({ text: 'y'.repeat(20_000), cut: true });
  });
  it.each([
    ['/loop', /more than 5 redirects/],
    ['/inside', /not on the public internet/],
    ['/file', /only http and https/],
    ['/image', /no text but image\/png/],
    ['/none', /HTTP 404/],
  ])('%s is refused in words', async (path, message) => {
    expect(await read(path)).toMatchObject({ isError: true, content: expect.stringMatching(message) });
  });
  it('reads nothing of a private network unless somebody granted it', async () => {
    const before = seen.length;
    const closed = createFetchPage({ outbound: createOutbound(NO_GRANTS), responseBytesMax: 1_000 });
    expect(await closed({ url: `${base}/article` }, options())).toMatchObject({ isError: true });
    expect(await closed({ url: 'no address' }, options())).toMatchObject({ isError: true });
    expect(seen.length).toBe(before);
  });
});

describe('run_javascript', { timeout: 60_000 }, () => {
  const run = (code: string, input?: unknown) => runJavascript({ code, input }, options());
  it.each([
    ['1 + 1', undefined, 2],
    ['input.map((row) => row.price).sort((a, b) => a - b)', [{ price: 3 }, { price: 1 }], [1, 3]],
    ['const total = input.reduce((sum, n) => sum + n, 0); ({ total })', [1, 2], { total: 3 }],
    ['undefined', undefined, null],
  ])('%s', async (code, input, expected) => {
    expect(await run(code, input)).toMatchObject({ isError: false, data: { result: expected } });
  });
  it.each([
    ['an endless loop', 'for (;;) {}', /interrupted|ran for more/],
    ['all memory', 'const a = []; for (;;) a.push("x".repeat(1e6) + a.length)', /memory|InternalError|failed/],
    ['endless recursion', 'const f = () => f(); f()', /stack|InternalError|RangeError/],
    ['a mistake', 'nothing.here', /ReferenceError/],
    ['no program', 'const =', /SyntaxError/],
    ['more than may come out', '"x".repeat(200000)', /longer than 100000/],
  ])('%s ends as a result', async (_what, code, message) => {
    expect(await run(code)).toMatchObject({ isError: true, content: expect.stringMatching(message) });
  });
  it('has nothing of this process, no network, no files, no clock to wait for', async () => {
    const names = ['process', 'require', 'fetch', 'setTimeout', 'module', 'WebAssembly', 'Buffer', 'Deno', 'std', 'os'];
    const { data } = await run(`[${names.map((name) => `typeof ${name}`).join(',')}]`);
    expect(data).toEqual({ result: names.map(() => 'undefined') });
    expect(await run('import("node:fs").then(() => 1)')).toMatchObject({ data: { result: {} } });
    // The usual way out of a sandbox of the same engine leads nowhere here.
    expect(await run('[].constructor.constructor("return typeof process")()')).toMatchObject({
      data: { result: 'undefined' },
    });
  });
  it('one program leaves nothing behind for the next', async () => {
    await run('globalThis.left = 1; Array.prototype.map = null');
    expect(await run('[typeof left, typeof [].map]')).toMatchObject({ data: { result: ['undefined', 'function'] } });
  });
  it('is ended when nobody waits for it any more', async () => {
    await expect(
      runJavascript({ code: 'for (;;) {}' }, options({ signal: AbortSignal.timeout(200) })),
    ).rejects.toMatchObject({ name: 'ToolCallError' });
  });
});
