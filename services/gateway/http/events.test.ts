/** A run's event stream over real HTTP and a real bus: nothing is missing, whatever is lost on the way. */
import { connect, type Socket } from 'node:net';
import { derivedRunId, derivedSessionId, newRunId, newSessionId } from '@tutti/contracts';
import { until } from '@tutti/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { api } from '../testing/api.ts';
import { Journal, NO_USAGE } from '../testing/entries.ts';
import { SseClient } from '../testing/sse-client.ts';
import { BUNDLE, World } from '../testing/world.ts';

let world: World;
let url: string;
const open: SseClient[] = [];

beforeAll(async () => {
  world = await World.start();
  await world.apply(BUNDLE);
  ({ url } = await world.gateway());
});
afterAll(() => world?.stop());
beforeEach(() => world.reset());
afterEach(() => {
  for (const client of open.splice(0)) client.close();
});

function journal(options: ConstructorParameters<typeof Journal>[2] = {}): Journal {
  const session = newSessionId();
  return world.add(new Journal(newRunId(session), session, options));
}
async function watch(run: string, lastEventId?: number, base = url): Promise<SseClient> {
  const headers: Record<string, string> = lastEventId === undefined ? {} : { 'last-event-id': String(lastEventId) };
  const client = await SseClient.open(`${base}/v1/runs/${run}/events`, headers);
  open.push(client);
  return client;
}
const seen = (client: SseClient, count: number) => until(`${count} events`, () => client.events.length >= count);
const upTo = (n: number) => Array.from({ length: n }, (_, index) => index + 1);

/** A root with one child, both running; the child has said one thing. */
function withChild() {
  const root = journal();
  const session = derivedSessionId(root.run, 'a');
  const link = { run: root.run, session: root.session, callId: root.callId('a') };
  const child = world.add(
    new Journal(derivedRunId(session, root.run, 'a'), session, { start: { root: root.run, parent: link, depth: 1 } }),
  );
  root.add({
    type: 'child.started',
    callId: link.callId,
    child: child.run,
    session,
    task: 'a',
    start: child.start,
  });
  child.requested('1');
  const finish = () => {
    child.answered('1', 'found');
    child.completed('found');
    const outcome = {
      child: child.run,
      callId: link.callId,
      status: 'completed' as const,
      output: 'found',
      actions: [],
      passages: [],
      usage: NO_USAGE,
    };
    root.add({ type: 'child.ended', task: 'a', outcome });
    root.completed('all found');
  };
  return { root, child, finish };
}

describe('the event stream of a run', () => {
  it('replays, follows live with tokens in between, and closes at the end', async () => {
    const mine = journal();
    mine.requested('1');
    const client = await watch(mine.run);
    await seen(client, 2);
    world.token(mine, '1', 'He');
    world.token(mine, '1', 'llo');
    await seen(client, 4);
    world.live(mine, mine.answered('1', 'Hello'));
    world.token(mine, '1', 'too late');
    world.live(mine, mine.completed('Hello'));
    await client.ended;
    expect(client.types()).toEqual([
      'run.accepted',
      'step.requested',
      'token',
      'token',
      'step.completed',
      'run.completed',
    ]);
    expect(client.ids()).toEqual(upTo(4));
    expect(client.events[2]).toMatchObject({ id: undefined, data: { run: mine.run, attempt: 1, text: 'He' } });
    expect(client.events[4]!.data).toMatchObject({ callId: mine.callId('1'), durationMs: 10, content: 'Hello' });
    expect(client.retries).toEqual([1_000]);
  });

  it('shows how far a tool says that it is, until its call is over', async () => {
    const mine = journal();
    mine.requested('1');
    const client = await watch(mine.run);
    await seen(client, 2);
    world.progress(mine, '1', 'half');
    await seen(client, 3);
    world.live(mine, mine.answered('1', 'Hello'));
    world.progress(mine, '1', 'too late');
    world.live(mine, mine.completed('Hello'));
    await client.ended;
    expect(client.types()).toEqual(['run.accepted', 'step.requested', 'progress', 'step.completed', 'run.completed']);
    expect(client.events[2]).toMatchObject({ id: undefined, data: { run: mine.run, tool: 'slow', text: 'half' } });
  });

  it('resumes after Last-Event-ID, and says 204 when there is nothing more', async () => {
    const mine = journal();
    mine.requested('1');
    mine.answered('1', 'Hello');
    mine.completed('Hello');
    const client = await watch(mine.run, 2);
    await client.ended;
    expect(client.ids()).toEqual([3, 4]);
    expect(client.events[0]!.data.durationMs).toBe(10);
    expect((await watch(mine.run, 4)).response.status).toBe(204);
    const wrong = await api(`${url}/v1/runs/${mine.run}/events`, 'GET', undefined, { 'last-event-id': 'x' });
    expect(wrong.status).toBe(400);
  });

  it('follows a run that nobody took in yet', async () => {
    const started = await api(`${url}/v1/runs`, 'POST', { agent: 'guide', input: 'hello' });
    const client = await watch(started.body.id);
    const mine = world.add(new Journal(started.body.id, started.body.session));
    world.live(mine, ...mine.entries);
    await seen(client, 1);
    world.live(mine, mine.completed('Hi'));
    await client.ended;
    expect(client.ids()).toEqual([1, 2]);
  });

  it('closes a gap in the live messages from the owner', async () => {
    const mine = journal();
    const client = await watch(mine.run);
    await seen(client, 1);
    mine.requested('1');
    mine.answered('1', 'Hi');
    world.live(mine, mine.completed('Hi'));
    await client.ended;
    expect(client.ids()).toEqual(upTo(4));
  });

  it('shows repeated and reordered live messages once and in order', async () => {
    const mine = journal();
    const client = await watch(mine.run);
    await seen(client, 1);
    const more = [mine.requested('1'), mine.answered('1', 'Hi'), mine.completed('Hi')];
    for (const entry of [more[1]!, more[0]!, more[1]!, more[2]!, more[0]!]) world.live(mine, entry);
    await client.ended;
    expect(client.ids()).toEqual(upTo(4));
  });

  it('comes to the end when every live message is lost', async () => {
    const mine = journal();
    const client = await watch(mine.run);
    await seen(client, 1);
    mine.requested('1');
    mine.completed('Hi');
    await client.ended;
    expect(client.ids()).toEqual(upTo(3));
  });

  it('reads a gap from memory while the owner is away, and waits while neither answers', async () => {
    const mine = journal();
    const client = await watch(mine.run);
    await seen(client, 1);
    world.owner.silent = true;
    world.memory.silent = true;
    mine.requested('1');
    world.live(mine, mine.answered('1', 'Hi'));
    await until('the owner to be asked', () =>
      world.asked.some((request) => request.op === 'entries' && request.after === 1),
    );
    expect(client.events).toHaveLength(1);
    world.memory.silent = false;
    await seen(client, 3);
    world.owner.silent = false;
    world.live(mine, mine.completed('Hi'));
    await client.ended;
    expect(client.ids()).toEqual(upTo(4));
  });

  it('replays what is gone from the owner out of memory, longer than one page', async () => {
    const mine = journal();
    for (let step = 0; step < 400; step++) {
      mine.requested(String(step));
      mine.answered(String(step), 'x');
    }
    world.owner.firstKept = 700;
    const client = await watch(mine.run);
    await seen(client, 801);
    world.live(mine, mine.completed('Hi'));
    await client.ended;
    expect(client.ids()).toEqual(upTo(802));
  });

  it('replays a run that ended long ago from memory alone', async () => {
    const { root, child, finish } = withChild();
    finish();
    world.owner.knows = new Set();
    const client = await watch(root.run);
    await client.ended;
    expect(client.ids()).toEqual(upTo(root.entries.length));
    expect(client.events.filter(({ data }) => data.run === child.run)).toHaveLength(child.entries.length);
  });
});

describe('runs below', () => {
  it('are shown inside their parent, without ids', async () => {
    const { root, child, finish } = withChild();
    const client = await watch(root.run);
    await seen(client, root.entries.length + child.entries.length);
    finish();
    // The child's own end comes late: its parent waits for it.
    world.live(root, ...root.entries);
    world.live(child, ...child.entries);
    await client.ended;
    const shown = client.events.map(({ id, data, event }) => [id, data.run === root.run ? 'root' : 'child', event]);
    expect(shown).toEqual([
      ['1', 'root', 'run.accepted'],
      ['2', 'root', 'child.started'],
      [undefined, 'child', 'run.accepted'],
      [undefined, 'child', 'step.requested'],
      [undefined, 'child', 'step.completed'],
      [undefined, 'child', 'run.completed'],
      ['3', 'root', 'child.ended'],
      ['4', 'root', 'run.completed'],
    ]);
  });

  it('that were open at the point of resuming are shown again, those that had ended are not', async () => {
    const { root, child, finish } = withChild();
    finish();
    const again = await watch(root.run, 2);
    await again.ended;
    expect(again.events.filter(({ data }) => data.run === child.run)).toHaveLength(child.entries.length);
    const later = await watch(root.run, 3);
    await later.ended;
    expect(later.types()).toEqual(['run.completed']);
  });

  it('do not hold the end up for ever when they cannot be read', async () => {
    const { root, child, finish } = withChild();
    finish();
    world.owner.knows = new Set([root.run]);
    world.memory.knows = new Set([root.run]);
    const client = await watch(root.run);
    await client.ended;
    expect(client.ids()).toEqual(upTo(root.entries.length));
    expect(client.events.some(({ data }) => data.run === child.run)).toBe(false);
  });
});

describe('many and slow clients', () => {
  it('refuses more watchers than the limit, with a hint', async () => {
    const { url: narrow } = await world.gateway({ TUTTI_WATCHERS_MAX: '1' });
    const mine = journal();
    const first = await watch(mine.run, undefined, narrow);
    const refused = await api(`${narrow}/v1/runs/${mine.run}/events`);
    expect(refused).toMatchObject({ status: 429, body: { error: { type: 'rate_limit_error' } } });
    expect(refused.headers.get('retry-after')).toBe('1');
    first.close();
    await until('the place to be free', async () => (await watch(mine.run, undefined, narrow)).response.status === 200);
  });

  it('cuts a client that does not read; it resumes where it was', async () => {
    const { url: narrow } = await world.gateway({ TUTTI_WATCHERS_MAX: '1', TUTTI_SSE_BUFFER_BYTES_MAX: '500000' });
    const mine = journal();
    const { port } = new URL(narrow);
    const sleeper: Socket = connect(Number(port), '127.0.0.1');
    sleeper.on('error', () => {});
    await new Promise((resolve) => sleeper.once('connect', resolve));
    sleeper.write(`GET /v1/runs/${mine.run}/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
    await new Promise((resolve) => sleeper.once('data', resolve));
    sleeper.pause();
    // More than the system's own buffers take, so that the gateway's has to hold some.
    let step = 0;
    const cut = await until('the slow client to be cut', async () => {
      for (let burst = 0; burst < 20; burst++) world.live(mine, mine.answered(String(step++), 'x'.repeat(60_000)));
      const { response } = await watch(mine.run, mine.entries.length - 1, narrow);
      return response.status === 200;
    });
    expect(cut).toBe(true);
    sleeper.destroy();
    for (const client of open) client.close();
    const resumed = await until('the place to be free', async () => {
      const client = await watch(mine.run, 1, narrow);
      return client.response.status === 200 ? client : undefined;
    });
    world.live(mine, mine.completed('Hi'));
    await resumed.ended;
    expect(resumed.ids()).toEqual(upTo(mine.entries.length).slice(1));
  });

  it('sends a client of a stopping gateway away with a hint when to come back', async () => {
    const { url: leaving, service } = await world.gateway({ TUTTI_SSE_RETRY_MS: '250' });
    const mine = journal();
    const client = await watch(mine.run, undefined, leaving);
    await seen(client, 1);
    await service.stop();
    await client.ended;
    expect(client.retries).toEqual([250, 250]);
    expect(client.ids()).toEqual([1]);
  });
});
