import { TuttiError } from '@tutti/contracts';
import { defineService, readPartitions } from '@tutti/runtime';
import { PlannerConfig } from './config.ts';
import { Ownership } from './shell/ownership.ts';

/** The planner: owns partitions and runs what is in them. Answers no requests; it is told things through the inbound stream. */
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
    const ownership = new Ownership(context, partitions);
    await ownership.start();
    return {
      handlers: {},
      ready: () => ownership.settled,
      drain: () => ownership.drain(),
    };
  },
});
