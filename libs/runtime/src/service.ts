/**
 * Starts a service: reads its configuration, connects it, provisions the bus, serves its handlers, answers health
 * questions, and stops it in order. Several may run in one process, each with a connection of its own.
 */
import { randomBytes } from 'node:crypto';
import { join, resolve } from 'node:path';
import { BUCKETS, TuttiError } from '@tutti/contracts';
import { z } from 'zod';
import { createBundleStore } from './bundles.ts';
import { connectNatsBus } from './bus/nats-bus.ts';
import type { Bus } from './bus/port.ts';
import { createCaller } from './caller.ts';
import { systemClock } from './clock.ts';
import { serveHealth } from './health.ts';
import { createLogger, type Logger } from './log.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import type { MetricsExport } from './metrics-sdk.ts';
import { provision } from './provision.ts';
import { createReceiver } from './receiver.ts';
import type { ServiceDefinition } from './service-types.ts';
import { checkSettings } from './settings.ts';
import { createTelemetry, startTelemetry, stopTelemetry } from './telemetry.ts';

const BUS_RETRY_MS = 500;
/** How long the last spans may take to leave when a process ends. */
const LAST_SPANS_MS = 5_000;

/** Environment that every service understands. */
export const RuntimeConfig = z.object({
  NATS_URL: z.string().default('nats://127.0.0.1:4222').describe('NATS servers, separated by commas.'),
  TUTTI_NATS_USER: z.string().optional().describe('User for NATS, when it asks for one.'),
  TUTTI_NATS_PASSWORD: z.string().optional().describe('Password for NATS.'),
  TUTTI_DATA: z.string().default('.tutti').describe('Folder for local state.'),
  TUTTI_PARTITIONS: z.coerce
    .number()
    .int()
    .optional()
    .describe('Number of partitions, chosen once; 4 where nothing is set.'),
  TUTTI_LOG_STREAMS: z.coerce
    .number()
    .int()
    .optional()
    .describe(
      'Number of streams that the logs of the partitions are spread over, chosen once; 1 where nothing is set. More spread the writes over several Raft groups of a NATS cluster.',
    ),
  TUTTI_NATS_REPLICAS: z.coerce.number().int().min(1).max(5).default(1).describe('Copies of each stream and bucket.'),
  TUTTI_PROVISION: z
    .enum(['true', 'false'])
    .default('true')
    .describe('Whether a service makes the streams it needs. `false` where a job of its own does.'),
  TUTTI_BUS_WAIT_MS: z.coerce
    .number()
    .int()
    .nonnegative()
    .default(0)
    .describe('How long a start waits for a bus that is not there or not provisioned yet; 0: it fails at once.'),
  TUTTI_LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info').describe('Log level.'),
  TUTTI_TRACE_CONTENT: z
    .enum(['true', 'false'])
    .default('false')
    .describe(
      'Whether traces have what was said: prompts, answers, arguments, results, messages of errors; redacted and cut. Logs never have it.',
    ),
  TUTTI_HEALTH_PORT: z.coerce
    .number()
    .int()
    .optional()
    .describe('Port for /healthz, /readyz and /metrics of a service that runs alone. None where it is not set.'),
  TUTTI_HEALTH_HOST: z.string().default('127.0.0.1').describe('Address that the health port listens on.'),
  TUTTI_IN_FLIGHT_MAX: z.coerce
    .number()
    .int()
    .positive()
    .default(1_024)
    .describe('Requests that a service works on at once; more are refused with a hint.'),
  TUTTI_DRAIN_TIMEOUT_MS: z.coerce
    .number()
    .int()
    .positive()
    .default(10_000)
    .describe('How long stopping waits for what is under way.'),
});
export type RuntimeConfig = z.infer<typeof RuntimeConfig>;

export interface StartOptions {
  /** Variables over those of the process. */
  env?: Record<string, string | undefined>;
  log?: Logger;
}

export interface StartedService {
  name: string;
  instance: string;
  ready(): boolean;
  /** Takes no more work; hands over or finishes what there is. */
  drain(): Promise<void>;
  /** Drains if that was not done, and closes everything. */
  stop(): Promise<void>;
}

export function parseConfig<Schema extends z.ZodType>(
  schema: Schema,
  environment: Record<string, string | undefined>,
  what: string,
): z.output<Schema> {
  // An empty variable is an unset one: Compose and Helm write both the same way.
  const set = Object.fromEntries(
    Object.entries(environment).filter(([, value]) => value !== undefined && value !== ''),
  );
  const parsed = schema.safeParse(set);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => `  ${issue.path.join('.')}: ${issue.message}`).join('\n');
  throw new TuttiError('invalid_request', `the configuration of ${what} has mistakes:\n${problems}`);
}

export async function startService(definition: ServiceDefinition, options: StartOptions = {}): Promise<StartedService> {
  const environment = { ...process.env, ...options.env };
  const runtime = parseConfig(RuntimeConfig, environment, definition.name);
  const config = parseConfig(definition.config, environment, definition.name);
  const instance = `${definition.name}-${randomBytes(5).toString('hex')}`;
  const log = (options.log ?? createLogger({}, { level: runtime.TUTTI_LOG_LEVEL, environment })).child({
    service: definition.name,
    instance,
  });
  await startTelemetry(environment);
  const metrics = createMetrics();
  let isReady = () => false;
  // From the very beginning: who waits for its bus or its store is alive, and not ready.
  const { TUTTI_HEALTH_PORT: port, TUTTI_HEALTH_HOST: host } = runtime;
  const health = port === undefined ? undefined : await serveHealth({ host, port, ready: () => isReady(), metrics });
  let bus: Bus | undefined;
  try {
    bus = await openBus(runtime, instance, log);
    return await startOn(bus);
  } catch (error) {
    await bus?.close();
    await health?.close();
    throw error;
  }

  async function startOn(bus: Bus): Promise<StartedService> {
    const caller = createCaller(bus, log, systemClock, metrics);
    const telemetry = createTelemetry(definition.name);
    const bundles = createBundleStore(() => bus.bucket(BUCKETS.bundles));
    const running = await definition.start({
      name: definition.name,
      instance,
      config,
      bus,
      caller,
      clock: systemClock,
      bundles,
      log,
      telemetry,
      metrics,
      dataDir: join(resolve(runtime.TUTTI_DATA), definition.name),
    });
    const receiver = createReceiver({
      bus,
      service: definition.name,
      handlers: running.handlers,
      inFlightMax: runtime.TUTTI_IN_FLIGHT_MAX,
      telemetry,
      metrics,
      log,
      ...(running.bar ? { bar: (calls) => running.bar?.(calls) } : {}),
    });
    // Whoever sees this service as started may ask it.
    await bus.flush();
    let draining: Promise<void> | undefined;
    let stopping: Promise<void> | undefined;
    const ready = () => !draining && bus.connected && (running.ready?.() ?? true);
    isReady = ready;
    const exported = await startMetricsExport(definition.name, metrics, environment);
    const drain = (): Promise<void> => {
      draining ??= Promise.all([receiver.drain(runtime.TUTTI_DRAIN_TIMEOUT_MS), running.drain?.()]).then(() => {});
      return draining;
    };
    log.info({ config: undefined }, 'started');
    return {
      name: definition.name,
      instance,
      ready,
      drain,
      stop() {
        stopping ??= (async () => {
          await drain();
          await running.stop?.();
          caller.close();
          await bus.close();
          await health?.close();
          await exported?.stop();
          log.info('stopped');
        })();
        return stopping;
      },
    };
  }
}

/** Connected, and provisioned: by this process, or by another one that is waited for. */
async function openBus(runtime: RuntimeConfig, instance: string, log: Logger): Promise<Bus> {
  const until = performance.now() + runtime.TUTTI_BUS_WAIT_MS;
  const credentials = runtime.TUTTI_NATS_USER
    ? { credentials: { user: runtime.TUTTI_NATS_USER, password: runtime.TUTTI_NATS_PASSWORD ?? '' } }
    : {};
  const bus = await whileUnavailable(until, log, () =>
    connectNatsBus({ url: runtime.NATS_URL, name: instance, log, ...credentials }),
  );
  try {
    const settings = { partitions: runtime.TUTTI_PARTITIONS, logStreams: runtime.TUTTI_LOG_STREAMS };
    if (runtime.TUTTI_PROVISION === 'true')
      await provision(bus, { ...settings, replicas: runtime.TUTTI_NATS_REPLICAS });
    else await whileUnavailable(until, log, () => checkSettings(bus, settings, runtime.TUTTI_BUS_WAIT_MS > 0));
    return bus;
  } catch (error) {
    await bus.close();
    throw error;
  }
}

/**
 * Metrics leave over OTLP where OTEL_METRICS_EXPORTER says `otlp`, or an endpoint of their own is given: the common
 * endpoint is often a Jaeger, which takes traces alone.
 */
async function startMetricsExport(
  name: string,
  metrics: Metrics,
  environment: Record<string, string | undefined>,
): Promise<MetricsExport | undefined> {
  const { OTEL_METRICS_EXPORTER: exporter, OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: endpoint } = environment;
  if (exporter !== 'otlp' && (exporter || !endpoint)) return undefined;
  const { exportMetrics } = await import('./metrics-sdk.ts');
  return exportMetrics(name, metrics, environment);
}

async function whileUnavailable<T>(until: number, log: Logger, work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const passes = error instanceof TuttiError && error.code === 'unavailable';
      if (!passes || performance.now() + BUS_RETRY_MS > until) throw error;
      log.warn({ error: error.message }, 'waiting for the bus');
      await new Promise((resolve) => setTimeout(resolve, BUS_RETRY_MS));
    }
  }
}

/** For `main.ts`: one service, this process. Ends with exit code 0 after SIGTERM or SIGINT, 1 when it cannot start. */
export async function runService(definition: ServiceDefinition): Promise<void> {
  let service: StartedService | undefined;
  const stop = async () => {
    await service?.stop();
    await Promise.race([stopTelemetry(), new Promise((resolve) => setTimeout(resolve, LAST_SPANS_MS))]);
    process.exit(0);
  };
  // Before the start, which may wait for long: the first process of a container has no default for signals. What it has
  // taken by then is taken over as after a crash.
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  try {
    service = await startService(definition);
  } catch (error) {
    process.stderr.write(`tutti: ${definition.name} cannot start: ${(error as Error).message}\n`);
    process.exit(1);
  }
}
