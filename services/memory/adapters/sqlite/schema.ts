/**
 * The tables, as the list of steps that made them. Never edit a step that was released: add one.
 * Contents are JSON text; columns are what queries ask for. Invariant: every row carries its tenant.
 */
import type { DatabaseSync } from 'node:sqlite';
import { TuttiError } from '@tutti/contracts';

export const MIGRATIONS: readonly string[] = [
  `CREATE TABLE turns (
     tenant TEXT NOT NULL, run TEXT NOT NULL, session TEXT NOT NULL, at REAL NOT NULL, agent TEXT NOT NULL,
     input TEXT NOT NULL, output TEXT NOT NULL, actions TEXT NOT NULL,
     PRIMARY KEY (tenant, run)
   ) WITHOUT ROWID, STRICT;
   CREATE INDEX turns_of_session ON turns (tenant, session, at, run);

   CREATE TABLE entries (
     tenant TEXT NOT NULL, run TEXT NOT NULL, n INTEGER NOT NULL, entry TEXT NOT NULL,
     PRIMARY KEY (run, n)
   ) WITHOUT ROWID, STRICT;

   CREATE TABLE runs (
     run TEXT PRIMARY KEY, tenant TEXT NOT NULL, session TEXT NOT NULL, agent TEXT NOT NULL, status TEXT NOT NULL,
     parent TEXT, created_at REAL NOT NULL, version INTEGER NOT NULL, state TEXT NOT NULL
   ) STRICT;
   CREATE INDEX runs_newest ON runs (tenant, created_at, run);
   CREATE INDEX runs_of_session ON runs (tenant, session, created_at, run);
   CREATE INDEX runs_of_status ON runs (tenant, status, created_at, run);

   CREATE TABLE approvals (
     approval TEXT PRIMARY KEY, tenant TEXT NOT NULL, run TEXT NOT NULL, waiting_run TEXT NOT NULL,
     status TEXT NOT NULL, requested_at REAL NOT NULL, version INTEGER NOT NULL, record TEXT NOT NULL
   ) STRICT;
   CREATE INDEX approvals_newest ON approvals (tenant, requested_at, approval);
   CREATE INDEX approvals_of_status ON approvals (tenant, status, requested_at, approval);
   CREATE INDEX approvals_of_run ON approvals (tenant, run, requested_at, approval);
   CREATE INDEX approvals_of_waiting_run ON approvals (tenant, waiting_run, requested_at, approval);

   CREATE TABLE positions (
     stream TEXT PRIMARY KEY, sequence INTEGER NOT NULL, stored_at REAL NOT NULL
   ) STRICT;`,
  `CREATE TABLE late_results (
     tenant TEXT NOT NULL, run TEXT NOT NULL, call TEXT NOT NULL, at REAL NOT NULL, result TEXT NOT NULL,
     PRIMARY KEY (run, call)
   ) WITHOUT ROWID, STRICT;`,
  `CREATE INDEX runs_ended ON runs (created_at) WHERE parent IS NULL AND status IN ('completed', 'failed', 'cancelled');
   CREATE INDEX runs_of_parent ON runs (parent) WHERE parent IS NOT NULL;`,
  // Label and history of a turn, as JSON; null in rows from before there were any.
  `ALTER TABLE turns ADD COLUMN provenance TEXT;`,
];

/** Brings the file to today's version. Throws `conflict` when a newer Tutti wrote it. */
export function migrate(database: DatabaseSync, path: string, migrations: readonly string[] = MIGRATIONS): void {
  database.exec('BEGIN IMMEDIATE');
  try {
    database.exec(
      'CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY, applied_at REAL NOT NULL) STRICT',
    );
    const row = database.prepare('SELECT coalesce(max(version), 0) AS version FROM schema_version').get();
    const version = Number(row?.version);
    if (version > migrations.length)
      throw new TuttiError(
        'conflict',
        `${path} has schema version ${version}; this Tutti knows up to ${migrations.length}. Run the newer Tutti, or point TUTTI_DATA elsewhere.`,
      );
    for (let next = version + 1; next <= migrations.length; next++) {
      database.exec(migrations[next - 1]!);
      database.prepare('INSERT INTO schema_version VALUES (?, ?)').run(next, Date.now());
    }
    database.exec('COMMIT');
  } catch (error) {
    database.exec('ROLLBACK');
    throw error;
  }
}
