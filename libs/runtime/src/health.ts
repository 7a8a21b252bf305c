/** The health port of a service that runs alone: is it alive, may requests come, and its metrics, those of its process included. */
import { createServer, type Server } from 'node:http';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { METRIC } from './metric-names.ts';
import { METRICS_CONTENT_TYPE, type Metrics } from './metrics.ts';

export interface Health {
  close(): Promise<void>;
}

const LOOP_RESOLUTION_MS = 20;
const NANOS_PER_SECOND = 1e9;

export async function serveHealth(options: {
  host: string;
  port: number;
  ready(): boolean;
  metrics: Metrics;
}): Promise<Health> {
  const { host, port, ready, metrics } = options;
  const loop = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
  loop.enable();
  countProcess(metrics, loop, ready);
  const server = createServer((request, response) => {
    if (request.url === '/metrics') {
      response.writeHead(200, { 'content-type': METRICS_CONTENT_TYPE });
      return void response.end(metrics.text());
    }
    const ok = request.url === '/healthz' || (request.url === '/readyz' && ready());
    response.writeHead(ok ? 200 : request.url === '/readyz' ? 503 : 404, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ status: ok ? 'ok' : 'not ready' }));
  });
  await listening(server, port, host);
  return {
    async close() {
      loop.disable();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function listening(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
}

/** Under the names that Prometheus' own client libraries give. */
function countProcess(metrics: Metrics, loop: ReturnType<typeof monitorEventLoopDelay>, ready: () => boolean): void {
  const cpu = metrics.counter(METRIC.cpu);
  const memory = metrics.gauge(METRIC.memory);
  const start = metrics.gauge(METRIC.started);
  const heap = metrics.gauge(METRIC.heap);
  const lag = metrics.gauge(METRIC.loopLag);
  const isReady = metrics.gauge(METRIC.ready);
  const startedAt = Date.now() / 1_000 - process.uptime();
  metrics.collect(() => {
    const { user, system } = process.cpuUsage();
    cpu.of().value = (user + system) / 1e6;
    memory.of().set(process.memoryUsage.rss());
    heap.of().set(process.memoryUsage().heapUsed);
    start.of().set(startedAt);
    isReady.of().set(ready() ? 1 : 0);
    lag.of('p50').set(loop.percentile(50) / NANOS_PER_SECOND);
    lag.of('p99').set(loop.percentile(99) / NANOS_PER_SECOND);
    lag.of('max').set(loop.max / NANOS_PER_SECOND);
    loop.reset();
  });
}
