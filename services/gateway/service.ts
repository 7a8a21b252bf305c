/** Puts the gateway together: what it reads from, what it writes to, the HTTP server, and how it stops. */
import type { AddressInfo } from 'node:net';
import { LIMITS, TuttiError } from '@tutti/contracts';
import { defineService, METRIC, openSwitches, type RunningService, type ServiceContext } from '@tutti/runtime';
import type { FastifyInstance } from 'fastify';
import { createInboundWriter } from './adapters/bus-inbound.ts';
import { watchLoad } from './adapters/bus-load.ts';
import { createOwner } from './adapters/bus-owner.ts';
import { learnPartitions } from './adapters/bus-partitions.ts';
import { createCurrentBundles } from './adapters/current-bundles.ts';
import { createDeadLetters } from './adapters/dead-letters.ts';
import { createFollowRun } from './adapters/follow-run.ts';
import { createMemory, createRunReader } from './adapters/run-reader.ts';
import { GatewayConfig } from './config.ts';
import { createApp } from './http/app.ts';
import { checkExposure } from './http/auth.ts';
import type { ExtraReady } from './http/deps.ts';
import { createGate } from './http/gate.ts';
import { Watchers } from './http/watchers.ts';

export interface GatewayOptions {
  /** Readiness of the other services in this process; part of /readyz. */
  extraReady?: ExtraReady;
  /** Told the base URL once requests are taken: with port 0 nobody knows it before. */
  onListening?(url: string): void;
}

export function createGatewayService(options: GatewayOptions = {}) {
  return defineService({
    name: 'gateway',
    config: GatewayConfig,
    start: (context) => startGateway(context, options),
  });
}

export const gatewayService = createGatewayService();

async function startGateway(context: ServiceContext<GatewayConfig>, options: GatewayOptions): Promise<RunningService> {
  const { config, bus, caller, bundles, log, telemetry, metrics } = context;
  checkExposure(config);
  const partitions = learnPartitions(bus, log);
  const owner = createOwner(bus, partitions, log, config.ownerTimeoutMs);
  const memory = createMemory(caller, config.readTimeoutMs);
  const reader = createRunReader({ bus, owner, memory, partitions, log });
  const load = watchLoad({ bus, partitions, log, lagMax: config.lagMax, retryAfterMs: LIMITS.overloadedRetryMs });
  const switches = await openSwitches(bus, log);
  const watchers = new Watchers(config.watchersMax);
  const watching = metrics.gauge(METRIC.watchers);
  metrics.gauge(METRIC.watchersMax).of().set(config.watchersMax);
  metrics.collect(() => watching.of().set(watchers.open));
  const app = createApp({
    config,
    bus,
    caller,
    bundles,
    currentBundle: createCurrentBundles(bundles, config.bundleFreshMs),
    log,
    telemetry,
    metrics,
    partitions,
    owner,
    memory,
    reader,
    inbound: createInboundWriter(bus, partitions, config),
    load,
    deadLetters: createDeadLetters(bus, partitions),
    followRun: createFollowRun({ bus, reader, log, limits: { ...config, queueBytesMax: config.sseBufferBytesMax } }),
    watchers,
    switches,
    gate: createGate(bundles),
    extraReady: options.extraReady,
  });
  try {
    await app.listen({ host: config.host, port: config.port });
  } catch (error) {
    partitions.stop();
    throw new TuttiError('unavailable', listenProblem(config, error as NodeJS.ErrnoException), { cause: error });
  }
  const url = urlOf(config.host, app.server.address() as AddressInfo);
  log.info({ url }, 'listening');
  options.onListening?.(url);

  return {
    handlers: {},
    ready: () => partitions.count !== undefined && !watchers.draining.aborted,
    async drain() {
      await watchers.drain(config.drainTimeoutMs);
      await closeHttp(app, config.drainTimeoutMs);
    },
    async stop() {
      load.stop();
      switches.close();
      partitions.stop();
    },
  };
}

/** Takes no more connections, lets requests under way finish, and cuts what is left after the time. */
async function closeHttp(app: FastifyInstance, timeoutMs: number): Promise<void> {
  const timer = setTimeout(() => app.server.closeAllConnections(), timeoutMs);
  await app.close();
  clearTimeout(timer);
}

function urlOf(host: string, { port, family }: AddressInfo): string {
  const name = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : family === 'IPv6' ? `[${host}]` : host;
  return `http://${name}:${port}`;
}

function listenProblem({ host, port }: GatewayConfig, error: NodeJS.ErrnoException): string {
  if (error.code === 'EADDRINUSE') return `port ${port} on ${host} is taken: set TUTTI_PORT to another one`;
  return `cannot listen on ${host}:${port}: ${error.message}`;
}
