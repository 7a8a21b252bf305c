/**
 * The connection, the collections and their indexes. Works on a replica set of one; no transactions, text or hashed
 * indexes, or server-side JavaScript. Everything written is acknowledged by a majority with its journal.
 * Contents are JSON text: what tools return has keys that MongoDB gives a meaning of its own (`$ref`).
 */
import { TuttiError } from '@tutti/contracts';
import { type Collection, type Db, MongoClient } from 'mongodb';

const SCHEMA_VERSION = 1;
/** What the address does not say otherwise. */
const DEFAULTS = {
  serverSelectionTimeoutMS: 5_000,
  connectTimeoutMS: 5_000,
  socketTimeoutMS: 30_000,
  maxPoolSize: 20,
} as const;
const WRITE_TIMEOUT_MS = 10_000;

export interface TurnDocument {
  /** `<tenant>/<run>` */
  _id: string;
  tenant: string;
  run: string;
  session: string;
  at: number;
  agent: string;
  input: string;
  output: string;
  actions: string;
  /** Not in documents from before there were labels. */
  provenance?: string | null;
}
export interface EntryDocument {
  /** `<run>/<n>` */
  _id: string;
  tenant: string;
  run: string;
  n: number;
  entry: string;
}
export interface RunDocument {
  _id: string;
  tenant: string;
  session: string;
  agent: string;
  status: string;
  parent: string | null;
  createdAt: number;
  version: number;
  state: string;
}
export interface ApprovalDocument {
  _id: string;
  tenant: string;
  run: string;
  waitingRun: string;
  status: string;
  requestedAt: number;
  version: number;
  record: string;
}
export interface LateDocument {
  /** The run. */
  _id: string;
  tenant: string;
  /** In the order in which they came, each as JSON. */
  results: { call: string; result: string }[];
}
export interface PositionDocument {
  /** The stream. */
  _id: string;
  sequence: number;
  storedAt: number;
}

export interface Connection {
  client: MongoClient;
  db: Db;
  turns: Collection<TurnDocument>;
  entries: Collection<EntryDocument>;
  runs: Collection<RunDocument>;
  approvals: Collection<ApprovalDocument>;
  late: Collection<LateDocument>;
  positions: Collection<PositionDocument>;
}

/** `database`: where the path of `url` names none. Rejects with the driver's error while there is no server. */
export async function connect(url: string, database: string): Promise<Connection> {
  const client = new MongoClient(url, {
    ...defaultsFor(url),
    appName: 'tutti-memory',
    writeConcern: { w: 'majority', journal: true, wtimeoutMS: WRITE_TIMEOUT_MS },
    readConcern: { level: 'majority' },
    ignoreUndefined: true,
  });
  try {
    await client.connect();
    const db = client.db(databaseOf(url) ?? database);
    await checkVersion(db);
    const connection: Connection = {
      client,
      db,
      turns: db.collection('turns'),
      entries: db.collection('entries'),
      runs: db.collection('runs'),
      approvals: db.collection('approvals'),
      late: db.collection('late_results'),
      positions: db.collection('positions'),
    };
    await createIndexes(connection);
    return connection;
  } catch (error) {
    await client.close();
    throw error;
  }
}

function defaultsFor(url: string): Partial<typeof DEFAULTS> {
  return Object.fromEntries(Object.entries(DEFAULTS).filter(([name]) => !url.includes(`${name}=`)));
}

/** By hand, not by `URL`: an address may name several hosts. */
export function databaseOf(url: string): string | undefined {
  const name = /^mongodb(?:\+srv)?:\/\/[^/?]+\/([^?]+)/.exec(url)?.[1];
  return name && decodeURIComponent(name);
}

/** Throws `conflict` when a newer Tutti wrote the database. */
async function checkVersion(db: Db): Promise<void> {
  const versions = db.collection<{ _id: string; version: number }>('schema');
  await versions.updateOne({ _id: 'memory' }, { $max: { version: SCHEMA_VERSION } }, { upsert: true });
  const found = await versions.findOne({ _id: 'memory' });
  if ((found?.version ?? 0) > SCHEMA_VERSION)
    throw new TuttiError(
      'conflict',
      `the MongoDB database ${db.databaseName} has schema version ${found?.version}; this Tutti knows up to ${SCHEMA_VERSION}. Run the newer Tutti, or use another database.`,
    );
}

async function createIndexes({ turns, entries, runs, approvals }: Connection): Promise<void> {
  await Promise.all([
    turns.createIndexes([{ key: { tenant: 1, session: 1, at: -1, run: -1 } }]),
    entries.createIndexes([{ key: { tenant: 1, run: 1, n: 1 } }]),
    runs.createIndexes([
      { key: { tenant: 1, createdAt: -1, _id: -1 } },
      { key: { tenant: 1, session: 1, createdAt: -1, _id: -1 } },
      { key: { tenant: 1, status: 1, createdAt: -1, _id: -1 } },
      { key: { parent: 1, createdAt: 1 } },
    ]),
    approvals.createIndexes([
      { key: { tenant: 1, requestedAt: -1, _id: -1 } },
      { key: { tenant: 1, status: 1, requestedAt: -1, _id: -1 } },
      { key: { tenant: 1, run: 1, requestedAt: -1, _id: -1 } },
      { key: { tenant: 1, waitingRun: 1, requestedAt: -1, _id: -1 } },
    ]),
  ]);
}
