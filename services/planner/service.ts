import { logStreamOf, TuttiError } from '@tutti/contracts';
import { defineService, nextTick, openSwitches, readSettings, type ServiceContext } from '@tutti/runtime';
import { PlannerConfig } from './config.ts';
import { journalHandlers } from './journal/handlers.ts';
import { openLeases } from './shell/bucket-leases.ts';
import type { CheckpointOptions } from './shell/checkpoints.ts';
import { zstd } from './shell/codec.ts';
import { Dispatcher } from './shell/dispatcher.ts';
import { LogStore } from './shell/log-store.ts';
import { Ownership } from './shell/ownership.ts';
import { Retention } from './shell/retention.ts';

/** The planner: owns partitions and runs what is in them. It is told things through the inbound stream. */
export const plannerService = defineService({
  name: 'planner',
  config: PlannerConfig,
  async start(context) {
    const settings = await readSettings(context.bus);
    if (!settings)
      throw new TuttiError(
        'unavailable',
        'the bus is not provisioned: start any service with TUTTI_PROVISION=true, or run the provisioning job first',
      );
    const { partitions, logStreams } = settings;
    const switches = await openSwitches(context.bus, context.log);
    const ownership = new Ownership({
      context,
      partitions,
      leases: await openLeases(context.bus),
      dispatch: new Dispatcher(context.caller, context.clock, context.metrics),
      logOf: (partition) => logOf(context, partition, logStreamOf(partition, logStreams), { codec: zstd }),
      nextTick,
      stop: (agent) => switches.stop(agent),
    });
    await ownership.start();
    return {
      handlers: journalHandlers(context, partitions),
      ready: () => ownership.settled,
      drain: () => ownership.drain(),
      stop: async () => switches.close(),
    };
  },
});

export function logOf(
  context: ServiceContext<PlannerConfig>,
  partition: number,
  stream: string,
  more: CheckpointOptions = {},
): LogStore {
  const { bus, log, clock, config } = context;
  const { TUTTI_LOG_KEEP_MS: keepMs, TUTTI_LOG_KEEP_BYTES: keepBytes } = config;
  const retention = new Retention({ bus, partition, stream, clock, keepMs, keepBytes });
  return new LogStore({ ...more, bus, partition, stream, log, clock, retention });
}
