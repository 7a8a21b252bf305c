/** What the routes work with. Made once, by service.ts. */
import type { Bundle } from '@tutti/contracts';
import type { BundleStore, Bus, Caller, Logger, Metrics, Switches, Telemetry } from '@tutti/runtime';
import type { Load } from '../adapters/bus-load.ts';
import type { Owner } from '../adapters/bus-owner.ts';
import type { DeadLetters } from '../adapters/dead-letters.ts';
import type { FollowRun } from '../adapters/follow-run.ts';
import type { Memory } from '../adapters/run-reader.ts';
import type { GatewayConfig } from '../config.ts';
import type { InboundWriter } from '../ports/inbound-writer.ts';
import type { Partitions } from '../ports/partitions.ts';
import type { RunReader } from '../ports/run-reader.ts';
import type { Gate } from './gate.ts';
import type { Watchers } from './watchers.ts';

export interface ReadyCheck {
  ok: boolean;
  detail?: string;
}
/** Readiness of what else runs in this process. */
export type ExtraReady = () => Record<string, ReadyCheck> | Promise<Record<string, ReadyCheck>>;

export interface GatewayDeps {
  config: GatewayConfig;
  bus: Bus;
  caller: Caller;
  bundles: BundleStore;
  /** The tenant's, as it was at most TUTTI_BUNDLE_FRESH_MS ago; undefined: none is applied. */
  currentBundle(tenant: string): Promise<{ hash: string; bundle: Bundle } | undefined>;
  log: Logger;
  telemetry: Telemetry;
  metrics: Metrics;
  partitions: Partitions;
  owner: Owner;
  memory: Memory;
  reader: RunReader;
  inbound: InboundWriter;
  load: Load;
  deadLetters: DeadLetters;
  followRun: FollowRun;
  watchers: Watchers;
  switches: Switches;
  gate: Gate;
  extraReady: ExtraReady | undefined;
}
