/** A gateway that tells one scripted story for every run, and keeps what it was told. For tests of the commands. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Told {
  method: string;
  path: string;
  body: unknown;
}

/** Events before and after the approval `apr_1` or the question `qst_1`, where the story has one. */
export interface Story {
  events: [type: string, data: Record<string, unknown>][];
  afterApproval?: [type: string, data: Record<string, unknown>][];
  /** Break the stream after this many events, once. */
  breakAfter?: number;
  /** The run goes on until it is cancelled. */
  endless?: boolean;
}

export interface FakeGateway {
  url: string;
  told: Told[];
  story: Story;
  /** What is answered to `METHOD /path` (without its query), before anything else: JSON, or text as it is. */
  answers: Record<string, { status?: number; body: unknown }>;
  close(): Promise<void>;
}

const RUN = 'run_1';
export const approval = (status = 'pending') => ({
  id: 'apr_1',
  run: RUN,
  status,
  tool: 'bookFlight',
  arguments: { offer: 'OF-1', price: 912 },
  effect: 'irreversible',
  reason: 'It spends money.',
  policy: 'spends-money',
  expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
});
export const question = { id: 'qst_1', run: RUN, text: 'Which colour?', expiresAt: new Date().toISOString() };
export const usage = { modelCalls: 2, toolCalls: 1, inputTokens: 30, outputTokens: 12, costUsd: 0 };
export const completed = (output: string): [string, Record<string, unknown>] => [
  'run.completed',
  { output, citations: [{ n: 1, title: 'Policy', section: 'Hotels' }], usage, degraded: false },
];

export async function startFakeGateway(): Promise<FakeGateway> {
  const told: Told[] = [];
  const gateway = { story: { events: [completed('Done.')] } as Story, answers: {} as FakeGateway['answers'] };
  let decision: string | undefined;
  let broken = false;
  const wakers: (() => void)[] = [];

  async function events(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const after = Number(request.headers['last-event-id'] ?? 0);
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    let n = 0;
    const send = ([event, data]: [string, Record<string, unknown>]) => {
      const durable = event !== 'token' && event !== 'progress';
      if (durable) n += 1;
      if (durable && n <= after) return;
      response.write(
        `${durable ? `id: ${n}\n` : ''}event: ${event}\ndata: ${JSON.stringify({ run: RUN, n, ...data })}\n\n`,
      );
    };
    for (const event of gateway.story.events) {
      if (gateway.story.breakAfter === n && !broken) {
        broken = true;
        return void response.end();
      }
      send(event);
    }
    if (gateway.story.endless || gateway.story.afterApproval) {
      while (!decision) await new Promise<void>((resolve) => wakers.push(resolve));
      if (decision === 'cancel') send(['run.cancelled', { by: 'local', reason: '', usage }]);
      else for (const event of gateway.story.afterApproval ?? []) send(event);
    }
    response.end();
  }

  const server = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request) text += chunk;
    const path = request.url ?? '';
    const body = text ? JSON.parse(text) : undefined;
    told.push({ method: request.method ?? '', path, body });
    const answer = (status: number, value: unknown) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    const scripted = gateway.answers[`${request.method} ${path.split('?')[0]}`];
    if (typeof scripted?.body === 'string') return void response.writeHead(scripted.status ?? 200).end(scripted.body);
    if (scripted) return answer(scripted.status ?? 200, scripted.body);
    if (path === `/v1/runs/${RUN}`) return answer(200, { question: decision ? null : question });
    if (path === '/v1/agents')
      return answer(200, { data: [{ name: 'travel', description: 'Trips.', knowledge: ['policy'] }] });
    if (path === '/v1/runs') return answer(202, { id: RUN, session: 'ses_1', status: 'queued' });
    if (path.endsWith('/events')) return events(request, response);
    if (/\/(cancel|input)$/.test(path) || path.startsWith('/v1/approvals/apr_1')) {
      if (request.method === 'POST') {
        decision = path.endsWith('/cancel') ? 'cancel' : (body.decision ?? body.text);
        for (const wake of wakers.splice(0)) wake();
      }
      return answer(200, approval(decision ? 'approved' : 'pending'));
    }
    if (path === '/v1/bundles') return answer(200, { hash: 'abcdef' });
    if (path.endsWith('/documents')) return answer(200, { data: [{ id: 'old' }, { id: 'same' }] });
    if (path.endsWith('/documents/same') && request.method === 'GET')
      return answer(200, { title: 'Same', text: 'As ever.\n' });
    if (path.includes('/documents/')) return answer(202, {});
    return answer(404, { error: { message: `there is nothing at ${path}`, code: 'not_found', param: null } });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return Object.assign(gateway, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    told,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}
