/** The tools service: the effect broker, its ledger on the bus, and the tools of every bundle. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { createPolicyEngines } from '@tutti/policy';
import { defineService } from '@tutti/runtime';
import { createArgumentChecker } from './adapters/arguments.ts';
import { createBusLedger } from './adapters/bus-ledger.ts';
import { createBusPeers } from './adapters/bus-peers.ts';
import { createAdmission } from './broker/admission.ts';
import { createBroker } from './broker/execute.ts';
import type { Clock } from './broker/types.ts';
import { createWorking } from './broker/working.ts';
import { ToolsConfig } from './config.ts';
import { createHandlers } from './handlers.ts';
import { createToolboxes } from './toolbox/toolboxes.ts';
import { traceCalls } from './tracing.ts';

const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  nowMs: () => Date.now(),
  sleep: (ms, signal) => sleep(ms, undefined, signal ? { signal } : {}).catch(() => {}),
};

export const toolsService = defineService({
  name: 'tools',
  config: ToolsConfig,
  async start({ config, bus, bundles, instance, log, telemetry, metrics }) {
    const stopping = new AbortController();
    const working = createWorking();
    const policies = createPolicyEngines();
    const toolboxes = createToolboxes(config.limits, config.variables);
    const peers = createBusPeers({
      bus,
      instance,
      isWorking: working.has,
      isUnsent: working.isUnsent,
      goneMs: config.limits.peerGoneMs,
    });
    const broker = createBroker({
      instance,
      limits: config.limits,
      ledger: createBusLedger(bus),
      peers,
      working,
      admission: createAdmission(config.limits),
      checker: createArgumentChecker(),
      clock: systemClock,
      log,
      newToken: randomUUID,
      bundle: (hash) => bundles.get(hash),
      toolbox: (hash, bundle) => toolboxes.of(hash, bundle),
      policy: (hash, bundle) => policies.of(hash, bundle),
      stopping: stopping.signal,
      traced: traceCalls(telemetry, metrics),
    });
    return {
      handlers: createHandlers({ bundles, toolboxes, broker, metrics }),
      async stop() {
        stopping.abort();
        peers.stop();
        await toolboxes.close();
      },
    };
  },
});
