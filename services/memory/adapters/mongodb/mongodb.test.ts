import { startMongo } from '@tutti/testkit';
import { MongoClient } from 'mongodb';
import { afterAll, expect, test } from 'vitest';
import { storeContract } from '../store-contract.ts';
import { databaseOf } from './connect.ts';
import { openMongoStore } from './store.ts';

const mongo = await startMongo();
const skip = mongo ? undefined : 'no MongoDB and no SecantusDB here; set MONGODB_URL, or install python3 with pip';

afterAll(async () => {
  if (!mongo) return;
  const client = new MongoClient(mongo.url);
  await client.db().dropDatabase();
  await client.close();
  await mongo.stop();
});

storeContract('MongoDB', () => openMongoStore(mongo!.url, 'unused'), { skip });

test.skipIf(!mongo)('opening again keeps what is there; a newer schema is refused', async () => {
  const first = await openMongoStore(mongo!.url, 'unused');
  await first.close();
  const client = new MongoClient(mongo!.url);
  const versions = client.db().collection<{ _id: string; version: number }>('schema');
  await versions.updateOne({ _id: 'memory' }, { $set: { version: 99 } });
  await expect(openMongoStore(mongo!.url, 'unused')).rejects.toMatchObject({ code: 'conflict' });
  await versions.updateOne({ _id: 'memory' }, { $set: { version: 1 } });
  await client.close();
});

test('a server that is not there is worth waiting for', async () => {
  await expect(openMongoStore('mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=200', 'unused')).rejects.toMatchObject({
    code: 'unavailable',
    retryable: true,
  });
});

test('the database is the one of the path, if there is one', () => {
  expect(databaseOf('mongodb://a:1,b:2/mine?replicaSet=r')).toBe('mine');
  expect(databaseOf('mongodb+srv://u:p@host/')).toBeUndefined();
  expect(databaseOf('mongodb://host')).toBeUndefined();
});
