/**
 * The flights server of the travel example: wiring only. Flights, hotels and fares are made up.
 *
 * Environment: `PORT` (0 or absent: a free one, printed), `HOST` (127.0.0.1), `DATA_DIR` (where bookings.jsonl is kept).
 * For tests and for trying sad paths: `FLIGHTS_DELAY_MS` keeps answers back after their effect was done;
 * `FLIGHTS_HOLD_MINUTES` is how long holds last; `FLIGHTS_NOW` is the instant at which the server's clock starts;
 * `FLIGHTS_IGNORE_KEYS=1` makes every repeated request a second effect.
 */
import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import { Desk } from './desk.ts';
import { createFlightsServer } from './http.ts';
import { LIMITS } from './limits.ts';
import { openStore } from './store.ts';

const { env } = process;

function numberFrom(name: string, fallback: number): number {
  const value = env[name] ? Number(env[name]) : fallback;
  if (!Number.isFinite(value) || value < 0) throw new Error(`${name} must be a number, 0 or more`);
  return value;
}

function clock(): () => number {
  if (!env.FLIGHTS_NOW) return Date.now;
  const ahead = Date.parse(env.FLIGHTS_NOW) - Date.now();
  if (!Number.isFinite(ahead)) throw new Error('FLIGHTS_NOW must be an ISO 8601 instant');
  return () => Date.now() + ahead;
}

const store = openStore(resolve(env.DATA_DIR ?? 'data'));
const desk = new Desk(store, {
  nowMs: clock(),
  holdMinutes: numberFrom('FLIGHTS_HOLD_MINUTES', LIMITS.holdMinutes),
  ignoreKeys: env.FLIGHTS_IGNORE_KEYS === '1',
});
const server = createFlightsServer(desk, numberFrom('FLIGHTS_DELAY_MS', 0));
const host = env.HOST ?? '127.0.0.1';

server.listen(numberFrom('PORT', 0), host, () => {
  console.log(`flights: listening on http://${host}:${(server.address() as AddressInfo).port}`);
});

function stop(): void {
  server.close(() => process.exit(0));
  server.closeIdleConnections();
  setTimeout(() => process.exit(0), LIMITS.drainMs).unref();
}
process.once('SIGTERM', stop);
process.once('SIGINT', stop);
