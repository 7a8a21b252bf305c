import { TuttiError } from '@tutti/contracts';
import { defineService, nextTick, readPartitions, type ServiceContext } from '@tutti/runtime';
import { PlannerConfig } from './config.ts';
import { openLeases } from './shell/bucket-leases.ts';
import { Dispatcher } from './shell/dispatcher.ts';
import { LogStore } from './shell/log-store.ts';
import { Ownership } from './shell/ownership.ts';
import { Retention } from './shell/retention.ts';

/** The planner: owns partitions and runs what is in them. It is told things through the inbound stream. */
export const plannerService = defineService({
  name: 'planner',
  config: PlannerConfig,
  async start(context) {
    const partitions = await readPartitions(context.bus);
    if (partitions === undefined)
      throw new TuttiError(
        'unavailable',
        'the bus is not provisioned: start any service with TUTTI_PROVISION=true, or run the provisioning job first',
      );
    const ownership = new Ownership({
      context,
      partitions,
      leases: await openLeases(context.bus),
      dispatch: new Dispatcher(context.caller, context.clock),
      logOf: (partition) => logOf(context, partition),
      nextTick,
    });
    await ownership.start();
    return {
      handlers: {},
      ready: () => ownership.settled,
      drain: () => ownership.drain(),
    };
  },
});

export function logOf({ bus, log, clock, config }: ServiceContext<PlannerConfig>, partition: number): LogStore {
  const { TUTTI_LOG_KEEP_MS: keepMs, TUTTI_LOG_KEEP_BYTES: keepBytes } = config;
  const retention = new Retention({ bus, partition, clock, keepMs, keepBytes });
  return new LogStore({ bus, partition, log, clock, retention });
}
