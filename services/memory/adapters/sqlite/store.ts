/** Memory in one SQLite file. Every method is one transaction or one query, done when it returns: it blocks its thread (remote.ts gives it one of its own). */
import type { ApprovalRecord, LateResult, RunEntry, RunView, Turn } from '@tutti/contracts';
import { TuttiError } from '@tutti/contracts';
import { LATE, type Position, type ProjectionWrite } from '../../core/group.ts';
import { fromProvenance, provenanceOf } from '../../core/provenance.ts';
import type { ApprovalsFilter, MemoryStore, RunsFilter, TenantTurn, TurnText } from '../../ports/store.ts';
import { connect, transaction, translate } from './connect.ts';
import { prepare, type Statements } from './statements.ts';

type Row = Record<string, unknown>;

export function openSqliteStore(path: string): MemoryStore {
  const { durable, derived } = connect(path);
  const statements = prepare(durable, derived);
  const once = async <Result>(action: () => Result): Promise<Result> => {
    try {
      return action();
    } catch (error) {
      throw translate(error);
    }
  };
  return {
    remember: (turns) =>
      once(() =>
        transaction(durable, () => {
          for (const turn of turns) rememberOne(statements, turn);
        }),
      ),
    turns: (tenant, session, limit) =>
      once(() => (statements.turns.all(tenant, session, limit) as Row[]).map(toTurn).reverse()),
    turnTexts: (tenant, session, limit, charsMax) =>
      once(() =>
        (statements.turnTexts.all(charsMax, charsMax, tenant, session, limit) as unknown as TurnText[])
          .map(({ run, input, output }) => ({ run, input, output }))
          .reverse(),
      ),
    turnsOf: (tenant, session, runs) =>
      once(() => (statements.turnsOf.all(tenant, session, JSON.stringify(runs)) as Row[]).map(toTurn)),

    project: (write) => once(() => transaction(derived, () => projectAll(statements, write))),
    states: (runs) =>
      once(() => (statements.states.all(JSON.stringify(runs)) as Row[]).map(({ state }) => state as string)),
    position: (stream) => once(() => toPosition(statements.position.get(stream))),

    // A checkpoint begins with syncing the log of writes to the disk.
    settle: () => once(() => void derived.prepare('PRAGMA wal_checkpoint(PASSIVE)').all()),

    prune: (endedBefore, limit) => once(() => transaction(derived, () => prune(statements, endedBefore, limit))),
    bytes: () => once(() => Number(statements.bytes.get()!.bytes)),

    run: (tenant, run) => once(() => toView(statements.run.get(tenant, run))),
    runs: (tenant, filter) => once(() => listRuns(statements, tenant, filter)),
    journal: (tenant, run, after, limit) =>
      once(() => (statements.journal.all(tenant, run, after, limit) as Row[]).map(parse<RunEntry>('entry'))),
    late: (tenant, run) => once(() => (statements.late.all(tenant, run) as Row[]).map(parse<LateResult>('result'))),
    approvals: (tenant, filter) => once(() => listApprovals(statements, tenant, filter)),
    approval: (tenant, approval) =>
      once(() => {
        const row = statements.approval.get(tenant, approval);
        return row ? parse<ApprovalRecord>('record')(row) : null;
      }),
    async close() {
      derived.close();
      durable.close();
    },
  };
}

function rememberOne(statements: Statements, { tenant, turn }: TenantTurn): void {
  const { run, session, at, agent, input, output, actions } = turn;
  const provenance = provenanceOf(turn);
  statements.remember.run(tenant, run, session, at, agent, input, output, JSON.stringify(actions), provenance);
}

function projectAll(statements: Statements, write: ProjectionWrite): void {
  for (const { tenant, entry } of write.entries)
    statements.addEntry.run(tenant, entry.run, entry.n, JSON.stringify(entry));
  for (const state of write.runs) {
    const { id, tenant, session, agent, status, parent, createdAt, version } = state.view;
    const json = JSON.stringify(state);
    statements.putRun.run(id, tenant, session, agent, status, parent, createdAt, version, json);
  }
  for (const { tenant, version, record } of write.approvals) {
    const { id, run, waitingRun, status, requestedAt } = record;
    const json = JSON.stringify(record);
    statements.putApproval.run(id, tenant, run, waitingRun, status, requestedAt, version, json);
  }
  for (const { tenant, run, result } of write.late)
    statements.addLate.run(tenant, run, result.callId, result.at, JSON.stringify(result), LATE.perRunMax);
  statements.advance.run(write.stream, write.position.sequence, write.position.storedAt);
}

function prune(statements: Statements, endedBefore: number, limit: number): number {
  const trees: { tenant: string; runs: string[] }[] = [];
  for (const { run, tenant } of statements.endedRoots.iterate(endedBefore) as Iterable<Row>) {
    const tree = statements.tree.all(run as string) as { run: string; ended_at: number | null }[];
    if (tree.every(({ ended_at }) => ended_at !== null && ended_at < endedBefore))
      trees.push({ tenant: tenant as string, runs: tree.map(({ run }) => run) });
    if (trees.length >= limit) break;
  }
  for (const { tenant, runs } of trees)
    for (const run of runs) for (const statement of statements.removeRun) statement.run(tenant, run);
  return trees.reduce((sum, { runs }) => sum + runs.length, 0);
}

function listRuns(statements: Statements, tenant: string, filter: RunsFilter): RunView[] {
  let before: Row | undefined;
  if (filter.before !== undefined) {
    before = statements.runPlace.get(tenant, filter.before);
    if (!before) throw new TuttiError('invalid_request', `before: there is no run ${filter.before} to go on from`);
  }
  const where: [string, unknown][] = [
    ['session = ?', filter.session],
    ['agent = ?', filter.agent],
    ['status = ?', filter.status],
    ['(created_at, run) < (?, ?)', before && [before.created_at, before.run]],
  ];
  const rows = statements
    .runs(where, filter.children ? [] : ['parent IS NULL'])
    .all(...bind(tenant, where, filter.limit));
  return (rows as Row[]).map((row) => toView(row)!);
}

function listApprovals(statements: Statements, tenant: string, filter: ApprovalsFilter): ApprovalRecord[] {
  const where: [string, unknown][] = [
    ['(run = ? OR waiting_run = ?)', filter.run && [filter.run, filter.run]],
    ['status = ?', filter.status],
  ];
  const rows = statements.approvals(where, []).all(...bind(tenant, where, filter.limit));
  return (rows as Row[]).map(parse<ApprovalRecord>('record'));
}

function bind(tenant: string, where: [string, unknown][], limit: number): (string | number)[] {
  const values = where.flatMap(([, value]) => (value === undefined ? [] : value)) as (string | number)[];
  return [tenant, ...values, limit];
}

function parse<Value>(column: string): (row: Row) => Value {
  return (row) => JSON.parse(row[column] as string) as Value;
}

function toView(row: Row | undefined): RunView | null {
  return row ? (JSON.parse(row.state as string) as { view: RunView }).view : null;
}

function toTurn(row: Row): Turn {
  const { run, session, agent, at, input, output, actions, provenance } = row as unknown as Omit<Turn, 'actions'> & {
    actions: string;
    provenance: string | null;
  };
  return { run, session, agent, at, input, output, actions: JSON.parse(actions), ...fromProvenance(provenance) };
}

function toPosition(row: Row | undefined): Position | null {
  return row ? { sequence: Number(row.sequence), storedAt: Number(row.stored_at) } : null;
}
