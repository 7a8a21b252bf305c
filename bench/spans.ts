/**
 * `npm run bench -- spans`: CPU for a span, from made to sent over OTLP/HTTP to a sink in another process: with the exporter's
 * own serializer, and with ours. Attributes like those of a request and of a model call.
 */
import { spawn } from 'node:child_process';
import { createTelemetry, flushTelemetry, startTelemetry, stopTelemetry } from '@tutti/runtime';

const SPANS = 60_000;
/** Fewer than the queue holds: what is dropped costs nothing. */
const AT_ONCE = 8_000;

const sink = spawn(process.execPath, [
  '-e',
  "require('http').createServer((q, r) => { q.resume(); q.on('end', () => r.end('{}')); }).listen(0, '127.0.0.1', function () { console.log(this.address().port); });",
]);
const port = await new Promise<string>((resolve) => sink.stdout.once('data', (data) => resolve(String(data).trim())));
const environment = { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` };
process.env.OTEL_EXPORTER_OTLP_ENDPOINT = environment.OTEL_EXPORTER_OTLP_ENDPOINT;

async function round(): Promise<number> {
  await startTelemetry(environment);
  const telemetry = createTelemetry('router');
  const common = {
    'messaging.system': 'nats',
    'messaging.operation.name': 'process',
    'messaging.destination.name': 'x',
  };
  const before = process.cpuUsage();
  for (let at = 0; at < SPANS; at++) {
    const span = telemetry.span('process tutti.svc.router.complete', {
      kind: 'consumer',
      common,
      attributes: {
        'messaging.message.id': `call_${at}`,
        'tutti.run.id': 'run_01',
        'gen_ai.conversation.id': 'ses_01',
        'tutti.tenant': 'default',
      },
    });
    span.attributes({ 'gen_ai.usage.input_tokens': at, 'gen_ai.response.finish_reasons': ['stop'] });
    span.end();
    if (at % AT_ONCE === AT_ONCE - 1) await flushTelemetry();
  }
  await stopTelemetry();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / SPANS;
}

await round();
const rounds = [await round(), await round(), await round()].sort((a, b) => a - b);
process.stdout.write(
  `${rounds[1]!.toFixed(1)} µs CPU a span (median of 3 rounds of ${SPANS}; ${rounds.map((one) => one.toFixed(1)).join(', ')})\n`,
);
sink.kill();
