/** The six services in this process: started workers first, stopped gateway first. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type ServiceName, TuttiError } from '@tutti/contracts';
import { type Logger, type ServiceDefinition, type StartedService, startService } from '@tutti/runtime';
import { UP_LIMITS } from './limits.ts';

/** Whoever is asked is there before whoever asks. */
const START_ORDER = ['memory', 'retriever', 'tools', 'router', 'planner', 'gateway'] as const satisfies ServiceName[];

async function definitions(
  extraReady: () => Record<string, { ok: boolean }>,
): Promise<Record<ServiceName, ServiceDefinition>> {
  const [gateway, planner, memory, retriever, tools, router] = await Promise.all([
    import('@tutti/gateway'),
    import('@tutti/planner'),
    import('@tutti/memory'),
    import('@tutti/retriever'),
    import('@tutti/tools'),
    import('@tutti/router'),
  ]);
  return {
    gateway: gateway.createGatewayService({ extraReady }),
    planner: planner.plannerService,
    memory: memory.memoryService,
    retriever: retriever.retrieverService,
    tools: tools.toolsService,
    router: router.routerService,
  };
}

export interface ServiceGroup {
  /** In order, each ready before the next. `goOn` throws when it is to stop. */
  startAll(goOn: () => void): Promise<void>;
  /** Gateway, then planner, then the others. Nothing is running when it resolves. */
  stop(): Promise<void>;
}

export async function createServiceGroup(env: Record<string, string | undefined>, log: Logger): Promise<ServiceGroup> {
  const started = new Map<ServiceName, StartedService>();
  // /readyz is the gateway's, and speaks for all six.
  const all = await definitions(() =>
    Object.fromEntries(
      [...started.values()]
        .filter(({ name }) => name !== 'gateway')
        .map((service) => [service.name, { ok: service.ready() }]),
    ),
  );
  return {
    async startAll(goOn) {
      for (const name of START_ORDER) {
        goOn();
        const service = await startService(all[name], { env, log });
        started.set(name, service);
        await becomeReady(service, goOn);
      }
    },
    async stop() {
      const take = (name: ServiceName) => {
        const service = started.get(name);
        started.delete(name);
        return service?.stop();
      };
      await take('gateway');
      await take('planner');
      await Promise.all([...started.keys()].map(take));
    },
  };
}

async function becomeReady(service: StartedService, goOn: () => void): Promise<void> {
  const deadline = performance.now() + UP_LIMITS.readyTimeoutMs;
  while (!service.ready()) {
    if (performance.now() > deadline)
      throw new TuttiError(
        'timeout',
        `the ${service.name} is not ready after ${UP_LIMITS.readyTimeoutMs} ms; see the log`,
      );
    await sleep(UP_LIMITS.readyPollMs);
    goOn();
  }
}
