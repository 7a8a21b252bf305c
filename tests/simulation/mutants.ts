/**
 * Planted bugs: what a planner would be like that broke one of the rules of the design, made by putting something in
 * between at its ports. They exist here alone. The simulator has to find each of them.
 */
import { type LogBatch, STREAMS, subjects } from '@tutti/contracts';
import { BusConflict, BusUnknown, type ServiceContext } from '@tutti/runtime';
import type { Random } from '@tutti/testkit';
import type { PlannerConfig } from '../../services/planner/config.ts';
import type { Asking } from '../../services/planner/ports/dispatch.ts';
import type { Seams } from './planners.ts';

export interface Mutant {
  what: string;
  /** The judge that must notice it, whoever else does; and within how many seeds. */
  found: { by: string; within: number };
  plant(random: Random): Seams;
}

type Context = ServiceContext<PlannerConfig>;

/** The same thing but for what is said otherwise. */
function over<T extends object>(thing: T, other: Partial<T>): T {
  return new Proxy(thing, {
    get(target, key) {
      if (key in other) return other[key as keyof T];
      const value = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

const bytes = new TextEncoder();
const raw = (context: Context, partition: number, batch: LogBatch): Promise<number> =>
  context.bus.append(subjects.log(partition), bytes.encode(JSON.stringify(batch)));

export const MUTANTS: Record<string, Mutant> = {
  'no-cas': {
    what: 'appends to the log without saying where it must end',
    found: { by: 'versions', within: 100 },
    plant: () => ({
      context: (context) => ({
        ...context,
        bus: over(context.bus, {
          append: (subject, data, options) =>
            context.bus.append(
              subject,
              data,
              subject.startsWith('tutti.log.') ? { ...options, expectedLastSubjectSequence: undefined } : options,
            ),
        }),
      }),
    }),
  },
  'emit-before-append': {
    what: 'lets outputs leave while the append is still under way',
    found: { by: 'early', within: 100 },
    plant: () => ({
      log: (log) => {
        // One behind the other, as before; only that nobody waits.
        let writing: Promise<number> | undefined;
        let failed: unknown;
        return over(log, {
          async open() {
            await writing?.catch(() => {});
            writing = undefined;
            failed = undefined;
            return log.open();
          },
          async append(batch, last, json) {
            if (failed) throw failed;
            const before = writing ?? Promise.resolve(last);
            writing = before.then((end) => log.append(batch, end, json));
            writing.catch((error) => {
              failed = error;
            });
            if (batch.entries.length + batch.partition.length + batch.delivered.length === 0) return writing;
            return last;
          },
        });
      },
    }),
  },
  'forget-offset': {
    what: 'does not write how far the inbound was read',
    found: { by: 'inbound once', within: 20 },
    plant: () => ({
      log: (log) => {
        let readUpTo = 0;
        return over(log, {
          async open() {
            const opened = await log.open();
            readUpTo = opened.state.readUpTo;
            return opened;
          },
          append: (batch, last, json) => log.append({ ...batch, readUpTo }, last, json),
        });
      },
    }),
  },
  'random-call-id': {
    what: 'gives calls ids by chance: the next owner asks under others',
    found: { by: 'twice', within: 400 },
    plant: (random) => ({
      dispatch: (dispatch) => {
        const names = new Map<string, string>();
        const nameOf = (callId: string): string => {
          const name = names.get(callId) ?? `call_${random.below(2 ** 32).toString(36)}`;
          names.set(callId, name);
          return name;
        };
        const named = (asking: Asking): Asking => ({ ...asking, callId: nameOf(asking.callId) });
        return over(dispatch, {
          send: (request, call, done) => dispatch.send(request, { ...call, callId: nameOf(call.callId) }, done),
          holds: (asking) => dispatch.holds(named(asking)),
          forget: (asking) => dispatch.forget(named(asking)),
          cancel: (asking, listen) => dispatch.cancel(named(asking), listen),
        });
      },
    }),
  },
  'trust-the-lease': {
    what: 'takes over without a new epoch, and writes wherever the log ends: the lease says who owns it',
    found: { by: 'versions', within: 100 },
    plant: () => ({
      log: (log, context, partition) =>
        over(log, {
          async append(batch, last) {
            const takesOver = batch.entries.length + batch.partition.length + batch.delivered.length === 0;
            return takesOver ? last : raw(context, partition, batch);
          },
        }),
    }),
  },
  'letter-once': {
    what: 'sends a letter once: the next owner does not send it again',
    found: { by: 'letters', within: 100 },
    plant: () => ({
      log: (log) =>
        over(log, {
          async open() {
            const opened = await log.open();
            opened.state.outbox.clear();
            return opened;
          },
        }),
    }),
  },
  'retry-blindly': {
    what: 'appends again what it does not know to be stored',
    found: { by: 'versions', within: 200 },
    plant: () => ({
      log: (log, context, partition) =>
        over(log, {
          async append(batch, last, json) {
            try {
              return await log.append(batch, last, json);
            } catch (error) {
              if (!(error instanceof BusUnknown)) throw error;
              const end = await context.bus.last(STREAMS.log.name, subjects.log(partition));
              return log.append(batch, end?.sequence ?? 0, json);
            }
          },
        }),
    }),
  },
  'unknown-is-stored': {
    what: 'goes on as if an append were stored of which it does not know',
    found: { by: 'versions', within: 200 },
    plant: () => ({
      log: (log, context, partition) =>
        over(log, {
          async append(batch, last, json) {
            try {
              return await log.append(batch, last, json);
            } catch (error) {
              if (!(error instanceof BusUnknown)) throw error;
              return (await context.bus.last(STREAMS.log.name, subjects.log(partition)))?.sequence ?? 0;
            }
          },
        }),
    }),
  },
  'conflict-is-nothing': {
    what: 'goes on writing after the log has refused it',
    found: { by: 'versions', within: 100 },
    plant: () => ({
      log: (log, context, partition) =>
        over(log, {
          async append(batch, last, json) {
            try {
              return await log.append(batch, last, json);
            } catch (error) {
              const takesOver = batch.entries.length + batch.partition.length + batch.delivered.length === 0;
              if (takesOver || !(error instanceof BusConflict)) throw error;
              return raw(context, partition, batch);
            }
          },
        }),
    }),
  },
  'no-resend': {
    what: 'does not send open steps again when it takes over',
    found: { by: 'stuck', within: 200 },
    plant: () => {
      const underWay = new Set<string>();
      return {
        log: (log) =>
          over(log, {
            async open() {
              const opened = await log.open();
              for (const run of opened.state.runs.values())
                if ('open' in run) for (const callId of Object.keys(run.open)) underWay.add(callId);
              return opened;
            },
          }),
        dispatch: (dispatch) =>
          over(dispatch, {
            send(request, call, done) {
              if (!underWay.delete(call.callId)) dispatch.send(request, call, done);
            },
          }),
      };
    },
  },
  'parked-is-gone': {
    what: 'removes the states of parked runs while they are parked',
    found: { by: 'internal', within: 100 },
    plant: () => ({
      log: (log) =>
        over(log, {
          async park(snapshots) {
            const sequence = await log.park(snapshots);
            await log.unpark(sequence);
            return sequence;
          },
        }),
    }),
  },
  'checkpoint-ahead': {
    what: 'writes checkpoints that claim to hold the next log message, too',
    found: { by: 'errors', within: 100 },
    plant: () => ({
      log: (log) => over(log, { checkpoint: (state, sequence) => log.checkpoint(state, sequence + 1) }),
    }),
  },
};
