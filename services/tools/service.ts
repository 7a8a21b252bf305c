/** The tools service: the effect broker, its ledger on the bus, and the tools of every bundle. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { createPolicyEngines } from '@tutti/policy';
import { defineService, openSwitches } from '@tutti/runtime';
import { createArgumentChecker } from './adapters/arguments.ts';
import { createBusLedger } from './adapters/bus-ledger.ts';
import { createBusPeers } from './adapters/bus-peers.ts';
import { createBusPins } from './adapters/bus-pins.ts';
import { createBusResults } from './adapters/bus-results.ts';
import type { LocalTool } from './adapters/local/source.ts';
import { createAdmission } from './broker/admission.ts';
import { createBroker } from './broker/execute.ts';
import type { Clock } from './broker/types.ts';
import { createWorking } from './broker/working.ts';
import { ToolsConfig } from './config.ts';
import { createHandlers } from './handlers.ts';
import { createLiveProgress } from './live-progress.ts';
import { createToolboxes } from './toolbox/toolboxes.ts';
import { traceCalls } from './tracing.ts';

const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  nowMs: () => Date.now(),
  sleep: (ms, signal) => sleep(ms, undefined, signal ? { signal } : {}).catch(() => {}),
};

export { defineTool, type LocalTool } from './adapters/local/source.ts';

export interface ToolsOptions {
  /** Toolsets of this process, by name: what a source of type `local` takes. */
  local?: Record<string, LocalTool[]>;
}

/** The service for a process that brings tools of its own along. */
export const createToolsService = ({ local = {} }: ToolsOptions = {}) =>
  defineService({
    name: 'tools',
    config: ToolsConfig,
    async start({ config, bus, bundles, instance, log, telemetry, metrics }) {
      const stopping = new AbortController();
      const working = createWorking();
      const switches = await openSwitches(bus, log);
      const policies = createPolicyEngines();
      const pins = createBusPins(bus);
      const { limits, variables, grants } = config;
      const results = createBusResults(bus);
      const toolboxes = createToolboxes({ limits, variables, grants, pins, results, bus, local });
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
        admission: createAdmission(config.limits, systemClock.monotonicMs),
        switches,
        results,
        checker: createArgumentChecker(),
        clock: systemClock,
        log,
        newToken: randomUUID,
        bundle: (hash) => bundles.get(hash),
        toolbox: (tenant, hash, bundle) => toolboxes.of(tenant, hash, bundle),
        policy: (hash, bundle) => policies.of(hash, bundle),
        stopping: stopping.signal,
        traced: traceCalls(telemetry, metrics),
        progress: (call) => createLiveProgress(bus, call),
      });
      return {
        handlers: createHandlers({ bundles, toolboxes, broker, metrics }),
        bar({ tenant, run, callIds }) {
          for (const callId of callIds)
            broker
              .bar({ tenant, run, callId })
              .catch((error) =>
                log.warn({ err: error, callId, run }, 'that a call was given up could not be recorded'),
              );
        },
        async stop() {
          stopping.abort();
          peers.stop();
          switches.close();
          await toolboxes.close();
          pins.stop();
        },
      };
    },
  });

export const toolsService = createToolsService();
