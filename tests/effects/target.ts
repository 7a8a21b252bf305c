/**
 * The other side of a tool, a process of its own that can be killed: it does things, writes each into a file before it
 * answers, and stops where it is told to. What stands in the file is what was really done.
 *   POST /keyed        the same idempotency key again is the same effect
 *   POST /probeable, /irreversible, /pure   each request is another effect
 *   GET  /done?key=    what was done under a key
 */
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';

export type Hold = 'before' | 'after' | 'never';
export interface Effect {
  kind: string;
  what: string;
  key: string;
}
/** To the target: where it stops from now on; `go`: and those that it has stopped go on. */
export type Order = { hold: Hold };
/** From the target: it listens; it has stopped, before or after this effect. */
export type Report = { up: number } | { stopped: Effect };

const [file, port] = process.argv.slice(2) as [string, string];
export function readEffects(from: string): Effect[] {
  if (!existsSync(from)) return [];
  const lines = readFileSync(from, 'utf8').split('\n').filter(Boolean);
  return lines.map((line) => JSON.parse(line) as Effect);
}

if (import.meta.main) run();

function run(): void {
  const tell = (report: Report) => void process.send!(report);
  let hold: Hold = 'never';
  let goOn: () => void = () => {};
  let gone = Promise.resolve();
  process.on('message', (order: Order) => {
    goOn();
    hold = order.hold;
    gone = new Promise((resolve) => {
      goOn = resolve;
    });
  });
  const stop = (where: Hold, effect: Effect): Promise<void> => {
    if (hold !== where) return Promise.resolve();
    tell({ stopped: effect });
    return gone;
  };
  const doIt = (effect: Effect) => {
    const known = effect.kind === 'keyed' && readEffects(file).some((done) => done.key === effect.key);
    if (!known) appendFileSync(file, `${JSON.stringify(effect)}\n`);
  };
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', async () => {
      const url = new URL(request.url ?? '/', 'http://target');
      const kind = url.pathname.slice(1);
      if (kind === 'done') {
        const key = url.searchParams.get('key');
        return json(response, { effect: readEffects(file).find((done) => done.key === key) ?? null });
      }
      const { what } = JSON.parse(body) as { what: string };
      const effect = { kind, what, key: String(request.headers['idempotency-key'] ?? '') };
      await stop('before', effect);
      // Whoever asked may be gone: what was asked for is done all the same.
      doIt(effect);
      await stop('after', effect);
      json(response, { done: what });
    });
  });
  server.listen(Number(port), '127.0.0.1', () => tell({ up: (server.address() as { port: number }).port }));
}

function json(response: ServerResponse, data: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(data));
}
