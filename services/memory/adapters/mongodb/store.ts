/**
 * Memory in MongoDB. No transactions: replicas project the same messages at once and would only abort each other. Instead
 * each document is written so that repeats and overtaking change nothing, in an order that a crash may cut anywhere:
 * entries, approvals, runs, and the position last. What a reader sees of a run is therefore never ahead of its journal.
 */
import type { ApprovalRecord, LateResult, RunEntry, RunView, Turn } from '@tutti/contracts';
import { TuttiError } from '@tutti/contracts';
import type { AnyBulkWriteOperation, Collection, Document, Filter } from 'mongodb';
import { LATE, type ProjectionWrite } from '../../core/group.ts';
import { fromProvenance, provenanceOf } from '../../core/provenance.ts';
import type { ApprovalsFilter, MemoryStore, RunsFilter, TenantTurn } from '../../ports/store.ts';
import type {
  ApprovalDocument,
  Connection,
  EntryDocument,
  LateDocument,
  RunDocument,
  TurnDocument,
} from './connect.ts';
import { connect } from './connect.ts';
import { onlyDuplicates, translate } from './errors.ts';

const NEWEST_TURNS = { at: -1, run: -1 } as const;
const NEWEST_RUNS = { createdAt: -1, _id: -1 } as const;
const NEWEST_APPROVALS = { requestedAt: -1, _id: -1 } as const;

/** `database`: where the path of `url` names none. Rejects with `unavailable` while there is no server. */
export async function openMongoStore(url: string, database: string): Promise<MemoryStore> {
  const connection = await translated(() => connect(url, database));
  const { turns, runs, entries, approvals, late, positions } = connection;
  const store: MemoryStore = {
    remember: (items) => rememberAll(turns, items),
    async turns(tenant, session, limit) {
      const found = await turns.find({ tenant, session }).sort(NEWEST_TURNS).limit(limit).toArray();
      return found.reverse().map(toTurn);
    },
    async turnTexts(tenant, session, limit, charsMax) {
      const projection = { run: 1, input: 1, output: 1 };
      const found = await turns.find({ tenant, session }, { projection }).sort(NEWEST_TURNS).limit(limit).toArray();
      return found.reverse().map(({ run, input, output }) => ({
        run,
        input: input.slice(0, charsMax),
        output: output.slice(0, charsMax),
      }));
    },
    async turnsOf(tenant, session, wanted) {
      const ids = wanted.map((run) => `${tenant}/${run}`);
      const found = await turns
        .find({ _id: { $in: ids }, session })
        .sort({ at: 1, run: 1 })
        .toArray();
      return found.map(toTurn);
    },
    project: (write) => projectAll(connection, write),
    async states(wanted) {
      const found = await runs.find({ _id: { $in: [...wanted] } }, { projection: { state: 1 } }).toArray();
      return found.map(({ state }) => state);
    },
    async position(stream) {
      const found = await positions.findOne({ _id: stream });
      return found && { sequence: found.sequence, storedAt: found.storedAt };
    },
    // Every write is acknowledged with its journal.
    async settle() {},
    prune: (endedBefore, limit) => prune(connection, endedBefore, limit),
    async bytes() {
      const { dataSize, indexSize } = await connection.db.command({ dbStats: 1 });
      return Number(dataSize) + Number(indexSize);
    },
    async run(tenant, run) {
      const found = await runs.findOne({ _id: run, tenant });
      return found && toView(found);
    },
    runs: (tenant, filter) => listRuns(runs, tenant, filter),
    async journal(tenant, run, after, limit) {
      const found = await entries
        .find({ tenant, run, n: { $gt: after } })
        .sort({ n: 1 })
        .limit(limit)
        .toArray();
      return found.map(({ entry }) => JSON.parse(entry) as RunEntry);
    },
    async late(tenant, run) {
      const found = await late.findOne({ _id: run, tenant });
      return (found?.results ?? []).map(({ result }) => JSON.parse(result) as LateResult);
    },
    approvals: (tenant, filter) => listApprovals(approvals, tenant, filter),
    async approval(tenant, approval) {
      const found = await approvals.findOne({ _id: approval, tenant });
      return found && (JSON.parse(found.record) as ApprovalRecord);
    },
    close: () => connection.client.close(),
  };
  return translating(store);
}

/** Every method with its errors translated. */
function translating(store: MemoryStore): MemoryStore {
  const methods = Object.entries(store) as [string, (...parameters: unknown[]) => Promise<unknown>][];
  return Object.fromEntries(
    methods.map(([name, method]) => [name, (...parameters: unknown[]) => translated(() => method(...parameters))]),
  ) as unknown as MemoryStore;
}

async function translated<Result>(action: () => Promise<Result>): Promise<Result> {
  try {
    return await action();
  } catch (error) {
    throw translate(error);
  }
}

async function rememberAll(turns: Collection<TurnDocument>, items: readonly TenantTurn[]): Promise<void> {
  const documents = items.map(turnDocument);
  // The last one of each id: an unordered bulk may write equals in any order.
  const last = new Map(documents.map((document) => [document._id, document]));
  await upsertTwice(
    turns,
    [...last.values()].map(({ _id, ...$set }) => ({ updateOne: { filter: { _id }, update: { $set }, upsert: true } })),
  );
}

function turnDocument({ tenant, turn }: TenantTurn): TurnDocument {
  const { run, session, at, agent, input, output, actions } = turn;
  const provenance = provenanceOf(turn);
  const row = { tenant, run, session, at, agent, input, output, provenance };
  return { _id: `${tenant}/${run}`, ...row, actions: JSON.stringify(actions) };
}

async function projectAll(connection: Connection, write: ProjectionWrite): Promise<void> {
  await addEntries(connection.entries, write);
  await putLater(connection.approvals, write.approvals.map(approvalDocument));
  await addLate(connection.late, write);
  await putLater(connection.runs, write.runs.map(runDocument));
  await advance(connection, write);
}

async function addEntries(entries: Collection<EntryDocument>, write: ProjectionWrite): Promise<void> {
  if (write.entries.length === 0) return;
  const documents = write.entries.map(({ tenant, entry }) => {
    const { run, n } = entry;
    return { _id: `${run}/${n}`, tenant, run, n, entry: JSON.stringify(entry) };
  });
  try {
    await entries.insertMany(documents, { ordered: false });
  } catch (error) {
    if (!onlyDuplicates(error)) throw error;
  }
}

/** A list that has the call, or is full, does not match: the upsert is then refused as a duplicate. In order, for what came first is kept. */
async function addLate(late: Collection<LateDocument>, write: ProjectionWrite): Promise<void> {
  for (const { tenant, run, result } of write.late) {
    const item = { call: result.callId, result: JSON.stringify(result) };
    const filter = {
      _id: run,
      'results.call': { $ne: item.call },
      [`results.${LATE.perRunMax - 1}`]: { $exists: false },
    };
    const update = { $setOnInsert: { tenant }, $push: { results: item } };
    await upsertTwice(late, [{ updateOne: { filter, update, upsert: true } }]);
  }
}

/** Each document in, unless this version or a later one is there. */
async function putLater<D extends Document & { _id: string; version: number }>(
  collection: Collection<D>,
  documents: D[],
): Promise<void> {
  await upsertTwice(
    collection,
    documents.map(({ _id, ...rest }) => ({
      updateOne: {
        filter: { _id, version: { $lt: rest.version } } as unknown as Filter<D>,
        update: { $set: rest } as never,
        upsert: true,
      },
    })),
  );
}

async function advance({ positions }: Connection, { stream, position }: ProjectionWrite): Promise<void> {
  const { sequence, storedAt } = position;
  const earlier = [{ storedAt: { $lt: storedAt } }, { storedAt, sequence: { $lt: sequence } }];
  await upsertTwice(positions, [
    { updateOne: { filter: { _id: stream, $or: earlier }, update: { $set: { sequence, storedAt } }, upsert: true } },
  ]);
}

/**
 * Upserts, some with filters that ask for more than the id. One that finds its document, but not in the state that it asks
 * for, tries to insert and is refused as a duplicate. That may also mean that someone else inserted between its look
 * and its insert; as only documents of runs that ended long ago are deleted, the second time can only mean that the document is later already.
 */
async function upsertTwice<D extends Document>(
  collection: Collection<D>,
  operations: AnyBulkWriteOperation<D>[],
): Promise<void> {
  if (operations.length === 0) return;
  for (let round = 1; round <= 2; round++)
    try {
      return void (await collection.bulkWrite(operations, { ordered: false }));
    } catch (error) {
      if (!onlyDuplicates(error)) throw error;
    }
}

async function prune(connection: Connection, endedBefore: number, limit: number): Promise<number> {
  const { runs } = connection;
  const status = { $in: ['completed', 'failed', 'cancelled'] };
  const cursor = runs
    .find({ parent: null, createdAt: { $lt: endedBefore }, status })
    .sort({ createdAt: 1 })
    .batchSize(limit);
  let [trees, removed] = [0, 0];
  for await (const root of cursor) {
    if (endedAtOf(root) >= endedBefore) continue;
    const tree = await treeOf(runs, root);
    if (!tree.every((run) => endedAtOf(run) < endedBefore)) continue;
    const ids = tree.map(({ _id }) => _id);
    await removeAll(connection, root.tenant, ids);
    removed += ids.length;
    if (++trees >= limit) break;
  }
  return removed;
}

async function treeOf(runs: Collection<RunDocument>, root: RunDocument): Promise<RunDocument[]> {
  const tree = [root];
  for (let level = [root]; level.length > 0; tree.push(...level))
    level = await runs.find({ parent: { $in: level.map(({ _id }) => _id) } }).toArray();
  return tree;
}

/** `ids`: parents before their children. They go last: what a crash leaves of a tree is found again through its root. */
async function removeAll(connection: Connection, tenant: string, ids: string[]): Promise<void> {
  const { entries, late, approvals, runs } = connection;
  const $in = ids;
  await entries.deleteMany({ tenant, run: { $in } });
  await late.deleteMany({ _id: { $in } });
  await approvals.deleteMany({ tenant, waitingRun: { $in } });
  for (const run of ids.toReversed()) await runs.deleteOne({ _id: run });
}

/** Unix ms; infinite while it has not ended. */
function endedAtOf(run: RunDocument): number {
  return toView(run).endedAt ?? Number.POSITIVE_INFINITY;
}

function runDocument(state: ProjectionWrite['runs'][number]): RunDocument {
  const { id, tenant, session, agent, status, parent, createdAt, version } = state.view;
  return { _id: id, tenant, session, agent, status, parent, createdAt, version, state: JSON.stringify(state) };
}

function approvalDocument({ tenant, version, record }: ProjectionWrite['approvals'][number]): ApprovalDocument {
  const { id, run, waitingRun, status, requestedAt } = record;
  return { _id: id, tenant, run, waitingRun, status, requestedAt, version, record: JSON.stringify(record) };
}

async function listRuns(runs: Collection<RunDocument>, tenant: string, filter: RunsFilter): Promise<RunView[]> {
  const { session, agent, status } = filter;
  const query: Filter<RunDocument> = { tenant, ...given({ session, agent, status }) };
  if (!filter.children) query.parent = null;
  if (filter.before !== undefined) {
    const place = await runs.findOne({ _id: filter.before, tenant }, { projection: { createdAt: 1 } });
    if (!place) throw new TuttiError('invalid_request', `before: there is no run ${filter.before} to go on from`);
    const { createdAt } = place;
    query.$or = [{ createdAt: { $lt: createdAt } }, { createdAt, _id: { $lt: filter.before } }];
  }
  return (await runs.find(query).sort(NEWEST_RUNS).limit(filter.limit).toArray()).map(toView);
}

async function listApprovals(
  approvals: Collection<ApprovalDocument>,
  tenant: string,
  { run, status, limit }: ApprovalsFilter,
): Promise<ApprovalRecord[]> {
  const query: Filter<ApprovalDocument> = { tenant, ...given({ status }) };
  if (run !== undefined) query.$or = [{ run }, { waitingRun: run }];
  const found = await approvals.find(query).sort(NEWEST_APPROVALS).limit(limit).toArray();
  return found.map(({ record }) => JSON.parse(record) as ApprovalRecord);
}

function given(fields: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(fields).filter((field): field is [string, string] => field[1] !== undefined),
  );
}

function toView({ state }: RunDocument): RunView {
  return (JSON.parse(state) as { view: RunView }).view;
}

function toTurn({ run, session, agent, at, input, output, actions, provenance = null }: TurnDocument): Turn {
  return { run, session, agent, at, input, output, actions: JSON.parse(actions), ...fromProvenance(provenance) };
}
