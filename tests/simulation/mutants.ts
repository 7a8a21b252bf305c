/**
 * Planted bugs: what a planner would be like that broke one of the rules of the design, made by putting something in
 * between at its ports. They exist here alone. The simulator has to find each of them.
 */
import { type LogBatch, STREAMS, subjects } from '@tutti/contracts';
import { BusConflict, BusUnknown, nextTick, type ServiceContext, type StoredMessage } from '@tutti/runtime';
import type { Random } from '@tutti/testkit';
import type { PlannerConfig } from '../../services/planner/config.ts';
import type { Asking } from '../../services/planner/ports/dispatch.ts';
import { over, type Seams } from './planners.ts';

export interface Mutant {
  what: string;
  /** The judges that must notice it, whoever else does; and within how many seeds. */
  found: { by: string[]; within: number };
  plant(random: Random): Seams;
}

type Context = ServiceContext<PlannerConfig>;

const bytes = new TextEncoder();
const raw = (context: Context, partition: number, batch: LogBatch): Promise<number> =>
  context.bus.append(subjects.log(partition), bytes.encode(JSON.stringify(batch)));

export const MUTANTS: Record<string, Mutant> = {
  'no-cas': {
    what: 'appends to the log without saying where it must end',
    found: {
      by: ['versions', 'epochs', 'outcomes', 'after end', 'complete', 'usage', 'residue', 'projection', 'readers'],
      within: 100,
    },
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
    found: { by: ['early', 'hasty letters'], within: 100 },
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
    found: { by: ['inbound once', 'offsets'], within: 20 },
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
    found: { by: ['twice', 'unapproved', 'claimed'], within: 400 },
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
    found: { by: ['versions'], within: 100 },
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
    found: { by: ['letters'], within: 100 },
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
    found: { by: ['versions'], within: 200 },
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
    found: { by: ['versions'], within: 200 },
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
    found: { by: ['versions'], within: 100 },
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
    found: { by: ['stuck'], within: 200 },
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
    found: { by: ['internal'], within: 100 },
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
    found: { by: ['errors', 'replay'], within: 100 },
    plant: () => ({
      log: (log) => over(log, { checkpoint: (state, sequence) => log.checkpoint(state, sequence + 1) }),
    }),
  },
  'skips-a-message': {
    what: 'loses a message of the inbound now and then, and goes on behind it',
    found: { by: ['lost'], within: 100 },
    plant: (random) => ({
      context: (context) => ({
        ...context,
        bus: over(context.bus, {
          follow: (stream, subjects, from, handler) =>
            context.bus.follow(stream, subjects, from, (message) => {
              if (!random.chance(0.05)) return handler(message);
            }),
        }),
      }),
    }),
  },
  'buries-nothing': {
    what: 'drops the dead letters',
    found: { by: ['dead letters'], within: 200 },
    plant: () => ({
      context: (context) => ({
        ...context,
        bus: over(context.bus, {
          append: (subject, data, options) =>
            subject.startsWith('tutti.dead.') ? Promise.resolve(1) : context.bus.append(subject, data, options),
        }),
      }),
    }),
  },
  'admits-too-many': {
    what: 'lets more runs begin than its configuration says',
    found: { by: ['admission'], within: 100 },
    plant: () => ({
      context: (context) => ({
        ...context,
        config: {
          ...context.config,
          TUTTI_ACTIVE_RUNS_MAX: context.config.TUTTI_ACTIVE_RUNS_MAX * 2,
          TUTTI_TENANT_ACTIVE_RUNS_MAX: context.config.TUTTI_TENANT_ACTIVE_RUNS_MAX * 2,
        },
      }),
    }),
  },
  'forgets-sessions': {
    what: 'does not know after it has taken over which run its sessions are busy with',
    found: { by: ['session overlap'], within: 100 },
    plant: () => ({
      log: (log) =>
        over(log, {
          async open() {
            const opened = await log.open();
            opened.state.sessions.clear();
            return opened;
          },
        }),
    }),
  },
  'forgets-limits': {
    what: 'does not know after it has taken over how much its runs may use',
    found: { by: ['limits'], within: 100 },
    plant: () => ({
      log: (log) =>
        over(log, {
          async open() {
            const opened = await log.open();
            for (const run of opened.state.runs.values())
              if (run.status !== 'queued')
                run.limits = { ...run.limits, modelCallsMax: 50, toolCallsMax: 50, stepsMax: 50 };
            return opened;
          },
        }),
    }),
  },
  'sees-nobody': {
    what: 'does not notice that there are other planners: keeps every partition that it has',
    found: { by: ['spread'], within: 100 },
    plant: () => ({
      leases: (leases) =>
        over(leases, {
          watch: (handler) =>
            leases.watch((change) => {
              if (change.kind === 'lease') handler(change);
            }),
        }),
    }),
  },
  'ticks-again': {
    what: 'takes ticks of schedules that have been',
    found: { by: ['ticks'], within: 100 },
    plant: () => ({ nextTick: (timing, after) => nextTick(timing, after - 10_000) }),
  },
  'remembers-later': {
    what: 'goes on before memory has what the run said',
    found: { by: ['memory order', 'asked after end'], within: 100 },
    plant: (random) => ({
      dispatch: (dispatch, { clock }) =>
        over(dispatch, {
          send(request, call, done) {
            if (request.verb !== 'remember') return dispatch.send(request, call, done);
            clock.after(random.between(0, 4_000), () => dispatch.send(request, call, () => {}));
            done({ ok: true, body: { stored: true } });
          },
        }),
    }),
  },
  'swaps-messages': {
    what: 'takes a message of the inbound before the one that is in front of it',
    found: { by: ['session order'], within: 100 },
    plant: (random) => ({
      context: (context) => ({
        ...context,
        bus: over(context.bus, {
          follow(stream, subjects, from, handler) {
            let kept: StoredMessage | undefined;
            const release = async (next?: StoredMessage) => {
              const first = kept;
              kept = undefined;
              if (first && next) {
                await handler({ ...next, sequence: first.sequence });
                await handler({ ...first, sequence: next.sequence });
              } else if (first ?? next) await handler((first ?? next)!);
            };
            return context.bus.follow(stream, subjects, from, (message) => {
              if (kept || random.chance(0.5)) return release(message);
              kept = message;
              context.clock.after(KEPT_MS, () => void release());
            });
          },
        }),
      }),
    }),
  },
};

/** When nothing comes behind it, a message that was kept goes on after so long. */
const KEPT_MS = 500;
