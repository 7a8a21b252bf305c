/** What every adapter of ports/store.ts must do. Each test has tenants of its own, so that one store serves the whole suite. */
import { derivedCallId, newRunId, newSessionId, type RunEntry, RunView } from '@tutti/contracts';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { fold, LATE, type Position, type ProjectionWrite } from '../core/group.ts';
import type { RunState } from '../core/run-state.ts';
import type { MemoryStore } from '../ports/store.ts';
import { parseRunState } from '../stored-state.ts';
import { approvalId, batchOf, lateOf, type RunLog, runLog, travelRun, turnOf } from '../testing/entries.ts';

let tenants = 0;
const newTenant = () => `t${process.pid}-${Date.now().toString(36)}-${tenants++}`;

/** All of it as the projector would write it, from `state` on. */
export function writeOf(
  stream: string,
  position: Position,
  entries: RunEntry[],
  states: ReadonlyMap<string, RunState> = new Map(),
): ProjectionWrite {
  return fold({ stream, position }, [{ position, batch: batchOf(entries) }], (run) => states.get(run) ?? null).write;
}

/** Everything that anyone can ask of these runs. */
export async function snapshot(store: MemoryStore, tenant: string, stream: string): Promise<unknown> {
  const runs = await store.runs(tenant, { children: true, limit: 200 });
  return {
    runs,
    journals: await Promise.all(runs.map(({ id }) => store.journal(tenant, id, 0, 1_000))),
    states: (await store.states(runs.map(({ id }) => id)))
      .map(parseRunState)
      .sort((a, b) => (a.view.id < b.view.id ? -1 : 1)),
    approvals: await store.approvals(tenant, { limit: 200 }),
    position: await store.position(stream),
  };
}

const at = (sequence: number): Position => ({ sequence, storedAt: 1_800_000_000_000 + sequence });

export function storeContract(
  name: string,
  open: () => Promise<MemoryStore>,
  options: { skip?: string | undefined } = {},
) {
  describe.skipIf(options.skip !== undefined)(`${name}${options.skip ? ` (skipped: ${options.skip})` : ''}`, () => {
    let store: MemoryStore;
    beforeAll(async () => {
      store = await open();
      return () => store.close();
    });
    const project = (tenant: string, sequence: number, entries: RunEntry[]) =>
      store.project(writeOf(tenant, at(sequence), entries));

    describe('turns', () => {
      test('the newest ones, oldest first, of this session and tenant alone', async () => {
        const [tenant, other] = [newTenant(), newTenant()];
        const [session, elsewhere] = [newSessionId(), newSessionId()];
        const turns = [3, 1, 2].map((i) => turnOf(session, i, { input: `q${i}` }));
        await store.remember(turns.map((turn) => ({ tenant, turn })));
        await store.remember([
          { tenant, turn: turnOf(elsewhere, 9) },
          { tenant: other, turn: turnOf(session, 9) },
        ]);
        const inputs = async (limit: number) => (await store.turns(tenant, session, limit)).map(({ input }) => input);
        expect(await inputs(10)).toEqual(['q1', 'q2', 'q3']);
        expect(await inputs(2)).toEqual(['q2', 'q3']);
        expect(await store.turns(newTenant(), session, 10)).toEqual([]);
      });

      test('come back as they went in, whatever their actions hold', async () => {
        const tenant = newTenant();
        const turn = turnOf(newSessionId(), 1.5, {
          input: 'größer 😀 \u0001 "quoted"',
          actions: [
            {
              callId: 'call_1',
              tool: 'book',
              arguments: { $ref: '#/x', 'a.b': [null, { $set: 1 }], '': 1 },
              content: '{"a":1}',
              isError: true,
              effect: 'irreversible',
            },
          ],
          label: { integrity: 'untrusted', confidentiality: ['secret', 'hr'] },
          did: { calls: 1, effects: 1, tools: { 'a.b': 1 }, collections: ['hr'], sums: { spent: 2.5 } },
        });
        await store.remember([{ tenant, turn }]);
        expect(await store.turns(tenant, turn.session, 1)).toEqual([turn]);
      });

      test('a turn replaces the one of the same run, in one group too', async () => {
        const tenant = newTenant();
        const turn = turnOf(newSessionId(), 1, { output: 'first' });
        const second = { ...turn, output: 'second' };
        await store.remember([{ tenant, turn }]);
        await store.remember([
          { tenant, turn },
          { tenant, turn: second },
        ]);
        expect(await store.turns(tenant, turn.session, 10)).toEqual([second]);
        await Promise.all([1, 2, 3, 4].map(() => store.remember([{ tenant, turn: second }])));
        expect(await store.turns(tenant, turn.session, 10)).toEqual([second]);
      });

      test('nothing to remember is no error', () => store.remember([]));

      test('texts are cut, oldest first; chosen turns come whole', async () => {
        const tenant = newTenant();
        const session = newSessionId();
        const turns = [1, 2, 3].map((i) => turnOf(session, i, { input: `${i}`.repeat(10), output: 'long' }));
        await store.remember(turns.map((turn) => ({ tenant, turn })));
        expect(await store.turnTexts(tenant, session, 2, 3)).toEqual([
          { run: turns[1]!.run, input: '222', output: 'lon' },
          { run: turns[2]!.run, input: '333', output: 'lon' },
        ]);
        const wanted = [turns[2]!.run, newRunId(session), turns[0]!.run];
        expect(await store.turnsOf(tenant, session, wanted)).toEqual([turns[0], turns[2]]);
        expect(await store.turnsOf(newTenant(), session, wanted)).toEqual([]);
        expect(await store.turnsOf(tenant, newSessionId(), wanted)).toEqual([]);
      });
    });

    describe('projection', () => {
      test('a run, its journal and its approvals can be read; another tenant sees none of it', async () => {
        const tenant = newTenant();
        const log = travelRun({ tenant });
        await project(tenant, 1, log.entries);
        const run = await store.run(tenant, log.run);
        expect(RunView.parse(run)).toEqual(run);
        expect(run).toMatchObject({ id: log.run, status: 'completed', version: log.entries.length });
        expect(await store.journal(tenant, log.run, 0, 1_000)).toEqual(log.entries);
        expect(await store.journal(tenant, log.run, 3, 2)).toEqual(log.entries.slice(3, 5));
        const approval = await store.approval(tenant, approvalId(log.run, 2));
        expect(approval).toMatchObject({ status: 'approved', run: log.run });

        const other = newTenant();
        expect(await store.run(other, log.run)).toBeNull();
        expect(await store.journal(other, log.run, 0, 10)).toEqual([]);
        expect(await store.runs(other, { children: true, limit: 10 })).toEqual([]);
        expect(await store.approvals(other, { run: log.run, limit: 10 })).toEqual([]);
        expect(await store.approval(other, approvalId(log.run, 2))).toBeNull();
        await expect(store.runs(other, { children: true, before: log.run, limit: 10 })).rejects.toMatchObject({
          code: 'invalid_request',
        });
      });

      test('the position is unknown at first, then moves forward only', async () => {
        const stream = newTenant();
        const write = (position: Position) =>
          store.project({ stream, position, entries: [], runs: [], approvals: [], late: [] });
        expect(await store.position(stream)).toBeNull();
        await write(at(5));
        expect(await store.position(stream)).toEqual(at(5));
        await write(at(3));
        expect(await store.position(stream)).toEqual(at(5));
        await write({ ...at(5), sequence: 6 });
        expect(await store.position(stream)).toEqual({ ...at(5), sequence: 6 });
        // A stream that was made anew counts from 1 again, later.
        await write({ sequence: 2, storedAt: at(9).storedAt });
        expect(await store.position(stream)).toEqual({ sequence: 2, storedAt: at(9).storedAt });
      });

      test('the state of a run comes back as it was, for runs that are known', async () => {
        const tenant = newTenant();
        const log = runLog({ tenant }).started().executes(1).wantsApproval(1);
        const write = writeOf(tenant, at(1), log.entries);
        await store.project(write);
        const found = await store.states([log.run, newRunId(log.session)]);
        expect(found.map(parseRunState)).toEqual(write.runs);
        expect(await store.states([])).toEqual([]);
      });

      test('results that came too late are kept in order, once, the first ones, for their tenant alone', async () => {
        const tenant = newTenant();
        const log = travelRun({ tenant });
        await project(tenant, 1, log.entries);
        const late = (steps: number[], content = 'booked') => {
          const batch = batchOf(
            [],
            steps.map((step) => lateOf(log.run, step, content)),
          );
          const state = writeOf(tenant, at(1), log.entries).runs[0]!;
          return fold({ stream: tenant, position: at(2) }, [{ position: at(2), batch }], () => state).write;
        };
        await store.project(late([2, 1]));
        await Promise.all([store.project(late([1, 2], 'another')), store.project(late([3]))]);
        const found = await store.late(tenant, log.run);
        expect(found.map(({ callId }) => callId).sort()).toEqual(
          [1, 2, 3].map((step) => derivedCallId(log.run, step)).sort(),
        );
        expect(found.every(({ content, tool, ok }) => content === 'booked' && tool === 'book' && ok)).toBe(true);
        expect(await store.late(newTenant(), log.run)).toEqual([]);
        expect(await store.late(tenant, newRunId(log.session))).toEqual([]);
        await store.project(late(Array.from({ length: LATE.perRunMax }, (_, i) => 10 + i)));
        expect(await store.late(tenant, log.run)).toHaveLength(LATE.perRunMax);
        await store.settle();
      });

      test('an earlier write that comes again changes nothing', async () => {
        const tenant = newTenant();
        const log = travelRun({ tenant });
        await project(tenant, 2, log.entries);
        const before = await snapshot(store, tenant, tenant);
        await project(tenant, 1, log.entries.slice(0, 4));
        await project(tenant, 2, log.entries);
        expect(await snapshot(store, tenant, tenant)).toEqual(before);
      });

      test('cut anywhere, repeated from anywhere, by several at once: what the entries in order say', async () => {
        await fc.assert(
          fc.asyncProperty(
            fc.array(fc.array(fc.nat(2), { minLength: 1, maxLength: 6 }), { minLength: 2, maxLength: 8 }),
            fc.array(fc.nat(7), { maxLength: 3 }),
            async (picks, replays) => {
              const tenant = newTenant();
              const logs = [0, 1, 2].map((i) => travelRun({ tenant, startAt: 1_800_000_000_000 + i }).entries);
              const messages = messagesOf(logs, picks);
              const follow = async (from: number) => {
                const states = new Map<string, RunState>();
                for (const [i, entries] of messages.entries()) {
                  const write = writeOf(tenant, at(i + 1), entries, states);
                  for (const state of write.runs) states.set(state.view.id, state);
                  if (i >= from) await store.project(write);
                }
              };
              await follow(0);
              await Promise.all(replays.map((from) => follow(from)));
              expect(await snapshot(store, tenant, tenant)).toEqual(expectedOf(logs, at(messages.length)));
            },
          ),
          { numRuns: 10, seed: 7 },
        );
      });
    });

    describe('lists', () => {
      test('runs: newest first, by session, agent and status, page by page, children only when asked for', async () => {
        const tenant = newTenant();
        const session = newSessionId();
        const logs: RunLog[] = [
          travelRun({ tenant, startAt: 1_000 }),
          runLog({ tenant, startAt: 2_000, session, agent: 'other' }).started(),
          runLog({ tenant, startAt: 2_000, session }),
          runLog({ tenant, startAt: 4_000 }),
        ];
        const parent = logs[0]!;
        const child = runLog({
          tenant,
          startAt: 3_000,
          root: parent.run,
          parent: { run: parent.run, session: parent.session, callId: 'call_x' },
        });
        for (const [i, log] of [...logs, child].entries()) await project(tenant, i + 1, log.entries);
        const list = async (filter: Partial<Parameters<MemoryStore['runs']>[1]>) =>
          (await store.runs(tenant, { children: false, limit: 50, ...filter })).map(({ id }) => id);
        const [first, second, third, fourth] = logs.map(({ run }) => run) as [string, string, string, string];
        const twins = [second, third].sort().reverse();
        const all = [fourth, ...twins, first];
        expect(await list({})).toEqual(all);
        expect(await list({ children: true })).toEqual([fourth, child.run, ...twins, first]);
        expect(await list({ session })).toEqual(twins);
        expect(await list({ session, agent: 'other' })).toEqual([second]);
        expect(await list({ status: 'completed' })).toEqual([first]);
        expect(await list({ status: 'failed' })).toEqual([]);
        const pages: string[] = [];
        for (let before: string | undefined; ; before = pages.at(-1)) {
          const [next] = await list({ before, limit: 1 });
          if (!next) break;
          pages.push(next);
        }
        expect(pages).toEqual(all);
        expect(await list({ children: true, before: child.run, session })).toEqual(twins);
        await expect(list({ before: newRunId(session) })).rejects.toMatchObject({ code: 'invalid_request' });
      });

      test('approvals: newest first, by run at the top or run that waits, and by status', async () => {
        const tenant = newTenant();
        const root = runLog({ tenant }).started().executes(1).executes(5).wantsApproval(1).wantsApproval(5);
        const child = runLog({ tenant, root: root.run }).started().executes(3).wantsApproval(3);
        await project(tenant, 1, root.entries);
        await project(tenant, 2, child.entries);
        const list = async (filter: Partial<Parameters<MemoryStore['approvals']>[1]>) =>
          (await store.approvals(tenant, { limit: 50, ...filter })).map(({ id }) => id);
        const [one, five, three] = [approvalId(root.run, 1), approvalId(root.run, 5), approvalId(child.run, 3)];
        expect(await list({})).toEqual([five, three, one]);
        expect(await list({ limit: 2 })).toEqual([five, three]);
        expect(await list({ run: root.run })).toEqual([five, three, one]);
        expect(await list({ run: child.run })).toEqual([three]);
        await project(tenant, 3, root.decides(5, 'denied').entries);
        expect(await list({ status: 'pending', run: root.run })).toEqual([three, one]);
        expect(await list({ status: 'denied' })).toEqual([five]);
      });
    });

    describe('pruning', () => {
      // Older than everything of the other tests: pruning knows no tenants.
      const LONG_AGO = 1_000_000_000_000;
      const HOUR_MS = 3_600_000;
      const ids = async (tenant: string) =>
        (await store.runs(tenant, { children: true, limit: 50 })).map(({ id }) => id).sort();
      const travelOf = (tenant: string, hour: number) => travelRun({ tenant, startAt: LONG_AGO + hour * HOUR_MS });

      test('everything of runs that ended before goes, the oldest first; later and live ones stay, and so do turns', async () => {
        const tenant = newTenant();
        const [first, second, later] = [travelOf(tenant, 1), travelOf(tenant, 2), travelOf(tenant, 9)];
        const live = runLog({ tenant, startAt: LONG_AGO }).started().executes(1).wantsApproval(1);
        const logs = [first, second, later, live];
        for (const [i, log] of logs.entries()) await project(tenant, i + 1, log.entries);
        const batch = batchOf([], [lateOf(first.run, 1)]);
        const state = writeOf(tenant, at(1), first.entries).runs[0]!;
        await store.project(fold({ stream: tenant, position: at(9) }, [{ position: at(9), batch }], () => state).write);
        expect(await store.late(tenant, first.run)).toHaveLength(1);
        await store.remember([{ tenant, turn: { ...turnOf(first.session, 1), run: first.run } }]);

        expect(await store.prune(LONG_AGO + 5 * HOUR_MS, 1)).toBe(1);
        expect(await ids(tenant)).toEqual([second.run, later.run, live.run].sort());
        expect(await store.journal(tenant, first.run, 0, 10)).toEqual([]);
        expect(await store.late(tenant, first.run)).toEqual([]);
        expect(await store.approvals(tenant, { run: first.run, limit: 10 })).toEqual([]);
        expect(await store.turns(tenant, first.session, 10)).toHaveLength(1);

        expect(await store.prune(LONG_AGO + 5 * HOUR_MS, 50)).toBe(1);
        expect(await store.prune(LONG_AGO + 5 * HOUR_MS, 50)).toBe(0);
        expect(await ids(tenant)).toEqual([later.run, live.run].sort());
        expect(await store.journal(tenant, later.run, 0, 1_000)).toEqual(later.entries);
        expect(await store.approvals(tenant, { run: live.run, limit: 10 })).toHaveLength(1);
        await store.prune(LONG_AGO + 20 * HOUR_MS, 50);
      });

      test('a run goes with all below it, and stays while one of them has not ended', async () => {
        const tenant = newTenant();
        const root = travelOf(tenant, 1);
        const parent = (run: string, session: string) => ({ run, session, callId: derivedCallId(run, 1) });
        const child = travelRun({
          tenant,
          startAt: LONG_AGO + HOUR_MS,
          root: root.run,
          parent: parent(root.run, root.session),
        });
        const below = runLog({
          tenant,
          startAt: LONG_AGO + HOUR_MS,
          root: root.run,
          parent: parent(child.run, child.session),
        }).started();
        for (const [i, log] of [root, child, below].entries()) await project(tenant, i + 1, log.entries);
        expect(await store.prune(LONG_AGO + 5 * HOUR_MS, 50)).toBe(0);
        expect(await ids(tenant)).toHaveLength(3);

        await project(tenant, 4, below.completed().entries);
        expect(await store.prune(LONG_AGO + 5 * HOUR_MS, 50)).toBe(3);
        expect(await ids(tenant)).toEqual([]);
        expect(await store.journal(tenant, below.run, 0, 10)).toEqual([]);
      });

      test('what is kept takes bytes, and less when it is gone', async () => {
        const tenant = newTenant();
        const before = await store.bytes();
        for (let i = 1; i <= 20; i++) await project(tenant, i, travelOf(tenant, 1).entries);
        const full = await store.bytes();
        expect(full).toBeGreaterThan(before);
        while ((await store.prune(LONG_AGO + 5 * HOUR_MS, 50)) > 0);
        expect(await store.bytes()).toBeLessThan(full);
      });
    });
  });
}

/** Interleaves whole logs into messages: each number takes the next entry of that log; what is left makes the last one. */
function messagesOf(logs: RunEntry[][], picks: number[][]): RunEntry[][] {
  const rest = logs.map((entries) => [...entries]);
  const messages = picks.map((message) => message.flatMap((log) => rest[log]!.splice(0, 1)));
  return [...messages, rest.flat()];
}

/** What `snapshot` must show, from the entries alone. */
export function expectedOf(logs: RunEntry[][], position: Position): unknown {
  const write = writeOf('expected', position, logs.flat());
  const runs = write.runs.map(({ view }) => view).sort((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? 1 : -1));
  return {
    runs,
    journals: runs.map(({ id }) => logs.find((entries) => entries[0]!.run === id)),
    states: write.runs.toSorted((a, b) => (a.view.id < b.view.id ? -1 : 1)),
    approvals: write.approvals
      .map(({ record }) => record)
      .sort((a, b) => b.requestedAt - a.requestedAt || (a.id < b.id ? 1 : -1)),
    position,
  };
}
