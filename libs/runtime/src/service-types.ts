/** What a service is made of, and what it gets to work with. service.ts runs it. */
import type { RequestItem, ServiceName, VERBS, VerbName } from '@tutti/contracts';
import type { z } from 'zod';
import type { BundleStore } from './bundles.ts';
import type { Bus } from './bus/port.ts';
import type { Caller } from './caller-port.ts';
import type { Clock } from './clock.ts';
import type { Logger } from './log.ts';
import type { Metrics } from './metrics.ts';
import type { Telemetry } from './telemetry.ts';

/** Told to a handler beside the body. */
export interface RequestContext {
  item: Omit<RequestItem, 'body'>;
  /** Aborted on cancel, on drain past its limit, and when the deadline is over. */
  signal: AbortSignal;
  /** W3C trace context of this request's own span, to pass on. */
  traceparent: string | undefined;
  /** Sets attributes on this request's span. */
  attributes(values: Record<string, string | number | boolean | string[]>): void;
}

export type Handler<V extends VerbName> = (
  body: z.output<(typeof VERBS)[V]['body']>,
  context: RequestContext,
) => Promise<z.input<(typeof VERBS)[V]['result']>>;
export type Handlers = { [V in VerbName]?: Handler<V> };

export interface ServiceContext<Config> {
  name: ServiceName;
  /** Unique for this process's copy of the service. */
  instance: string;
  config: Config;
  bus: Bus;
  caller: Caller;
  clock: Clock;
  bundles: BundleStore;
  log: Logger;
  telemetry: Telemetry;
  /** Read at /metrics of the health port. */
  metrics: Metrics;
  /** A folder of this service's own. Made on first use of the path by the service. */
  dataDir: string;
}

export interface RunningService {
  handlers: Handlers;
  /** May requests come now? Absent: yes. */
  ready?(): boolean;
  /** These calls were given up for good: what has not begun must not begin any more, however late it comes. */
  bar?(calls: { tenant: string; run: string; callIds: string[] }): void;
  /** Stop taking work and finish or hand over what there is. Called once before `stop`. */
  drain?(): Promise<void>;
  stop?(): Promise<void>;
}

export interface ServiceDefinition<Schema extends z.ZodType = z.ZodType> {
  name: ServiceName;
  /** Parsed from environment variables; unknown ones are left out. */
  config: Schema;
  start(context: ServiceContext<z.output<Schema>>): Promise<RunningService>;
}

export function defineService<Schema extends z.ZodType>(
  definition: ServiceDefinition<Schema>,
): ServiceDefinition<Schema> {
  return definition;
}
