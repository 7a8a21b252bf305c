/** Every SQL text. Prepared once; a list is prepared once for each set of filters that was asked for. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';

/** A condition, and its value: conditions without one are left out. */
export type Conditions = readonly [sql: string, value: unknown][];

export type Statements = ReturnType<typeof prepare>;

const TURN = 'run, session, agent, at, input, output, actions, provenance';

export function prepare(durable: DatabaseSync, derived: DatabaseSync) {
  return {
    remember: durable.prepare(
      `INSERT INTO turns (tenant, run, session, at, agent, input, output, actions, provenance)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (tenant, run) DO UPDATE SET session = excluded.session, at = excluded.at, agent = excluded.agent,
         input = excluded.input, output = excluded.output, actions = excluded.actions,
         provenance = excluded.provenance`,
    ),
    turns: durable.prepare(
      `SELECT ${TURN} FROM turns WHERE tenant = ? AND session = ? ORDER BY at DESC, run DESC LIMIT ?`,
    ),
    turnTexts: durable.prepare(
      `SELECT run, substr(input, 1, ?) AS input, substr(output, 1, ?) AS output
       FROM turns WHERE tenant = ? AND session = ? ORDER BY at DESC, run DESC LIMIT ?`,
    ),
    turnsOf: durable.prepare(
      `SELECT ${TURN} FROM turns WHERE tenant = ? AND session = ? AND run IN (SELECT value FROM json_each(?))
       ORDER BY at, run`,
    ),
    addEntry: derived.prepare(
      'INSERT INTO entries (tenant, run, n, entry) VALUES (?, ?, ?, ?) ON CONFLICT (run, n) DO NOTHING',
    ),
    putRun: derived.prepare(
      `INSERT INTO runs (run, tenant, session, agent, status, parent, created_at, version, state)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (run) DO UPDATE SET status = excluded.status, created_at = excluded.created_at,
         version = excluded.version, state = excluded.state
       WHERE excluded.version > runs.version`,
    ),
    putApproval: derived.prepare(
      `INSERT INTO approvals (approval, tenant, run, waiting_run, status, requested_at, version, record)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (approval) DO UPDATE SET status = excluded.status, version = excluded.version, record = excluded.record
       WHERE excluded.version > approvals.version`,
    ),
    addLate: derived.prepare(
      `INSERT INTO late_results (tenant, run, call, at, result)
       SELECT ?1, ?2, ?3, ?4, ?5 WHERE (SELECT count(*) FROM late_results WHERE run = ?2) < ?6
       ON CONFLICT (run, call) DO NOTHING`,
    ),
    advance: derived.prepare(
      `INSERT INTO positions (stream, sequence, stored_at) VALUES (?, ?, ?)
       ON CONFLICT (stream) DO UPDATE SET sequence = excluded.sequence, stored_at = excluded.stored_at
       WHERE (excluded.stored_at, excluded.sequence) > (positions.stored_at, positions.sequence)`,
    ),
    endedRoots: derived.prepare(
      `SELECT run, tenant FROM runs WHERE parent IS NULL AND status IN ('completed', 'failed', 'cancelled') AND created_at < ?1
         AND json_extract(state, '$.view.endedAt') < ?1 ORDER BY created_at`,
    ),
    /** The run and all below it, with when they ended. */
    tree: derived.prepare(
      `WITH RECURSIVE tree (run) AS (SELECT ?1 UNION SELECT runs.run FROM runs JOIN tree ON runs.parent = tree.run)
       SELECT runs.run, json_extract(runs.state, '$.view.endedAt') AS ended_at FROM runs JOIN tree USING (run)`,
    ),
    removeRun: [
      'DELETE FROM entries WHERE run = ?2 AND tenant = ?1',
      'DELETE FROM late_results WHERE run = ?2 AND tenant = ?1',
      'DELETE FROM approvals WHERE waiting_run = ?2 AND tenant = ?1',
      'DELETE FROM runs WHERE run = ?2 AND tenant = ?1',
    ].map((sql) => derived.prepare(sql)),
    bytes: derived.prepare(
      `SELECT (page_count - freelist_count) * page_size AS bytes
       FROM pragma_page_count, pragma_freelist_count, pragma_page_size`,
    ),
    states: derived.prepare('SELECT state FROM runs WHERE run IN (SELECT value FROM json_each(?))'),
    position: derived.prepare('SELECT sequence, stored_at FROM positions WHERE stream = ?'),
    run: derived.prepare('SELECT state FROM runs WHERE tenant = ? AND run = ?'),
    runPlace: derived.prepare('SELECT created_at, run FROM runs WHERE tenant = ? AND run = ?'),
    journal: derived.prepare('SELECT entry FROM entries WHERE tenant = ? AND run = ? AND n > ? ORDER BY n LIMIT ?'),
    late: derived.prepare('SELECT result FROM late_results WHERE tenant = ? AND run = ? ORDER BY at, call'),
    approval: derived.prepare('SELECT record FROM approvals WHERE tenant = ? AND approval = ?'),
    runs: filtered(derived, 'SELECT state FROM runs', 'created_at DESC, run DESC'),
    approvals: filtered(derived, 'SELECT record FROM approvals', 'requested_at DESC, approval DESC'),
  };
}

/** Texts come from this folder alone; values are always bound. */
function filtered(database: DatabaseSync, select: string, order: string) {
  const prepared = new Map<string, StatementSync>();
  return (conditions: Conditions, always: readonly string[]): StatementSync => {
    const used = conditions.filter(([, value]) => value !== undefined).map(([sql]) => sql);
    const where = ['tenant = ?', ...used, ...always].join(' AND ');
    let statement = prepared.get(where);
    if (!statement) {
      statement = database.prepare(`${select} WHERE ${where} ORDER BY ${order} LIMIT ?`);
      prepared.set(where, statement);
    }
    return statement;
  };
}
