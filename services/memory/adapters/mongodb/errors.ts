/** Which of the driver's errors pass: nobody there, the connection broke, another primary, too slow. */
import { TuttiError } from '@tutti/contracts';
import {
  MongoBulkWriteError,
  MongoError,
  MongoNetworkError,
  MongoServerError,
  MongoServerSelectionError,
  MongoWriteConcernError,
} from 'mongodb';

const DUPLICATE_KEY = 11_000;
/** Interrupted, not primary, stepping down, shutting down, time limit, over capacity: all that a server says while it changes. */
const PASSING = new Set([6, 7, 50, 64, 89, 91, 112, 133, 134, 189, 202, 262, 9001, 10107, 11600, 11602, 13435, 13436]);

/** `unavailable` for what passes; the rest stays what it is. */
export function translate(error: unknown): unknown {
  if (!(error instanceof MongoError) || !passes(error)) return error;
  return new TuttiError('unavailable', `MongoDB: ${error.message}`, { cause: error });
}

function passes(error: MongoError): boolean {
  if (error instanceof MongoNetworkError || error instanceof MongoServerSelectionError) return true;
  if (error instanceof MongoWriteConcernError || error.hasErrorLabel('RetryableWriteError')) return true;
  if (error instanceof MongoServerError) return PASSING.has(Number(error.code));
  // The driver's own: pool cleared, topology closed, session ended.
  return /Pool|Topology|Session|Timeout/.test(error.name);
}

/** True when all that went wrong is that documents with these ids were there already. */
export function onlyDuplicates(error: unknown): boolean {
  if (!(error instanceof MongoBulkWriteError) || error.result.getWriteConcernError()) return false;
  const errors = Array.isArray(error.writeErrors) ? error.writeErrors : [error.writeErrors];
  return errors.length > 0 && errors.every(({ code }) => code === DUPLICATE_KEY);
}
