/** Stands in for an OpenTelemetry collector: takes what it is sent, drops it, and says now and then how much that was. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

let requests = 0;
let bytes = 0;
const server = createServer((request, response) => {
  requests++;
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
  });
  request.on('end', () => response.writeHead(200, { 'content-type': 'application/json' }).end('{}'));
});
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () =>
  process.send?.({ type: 'listening', port: (server.address() as AddressInfo).port }),
);
process.on('message', () => process.send?.({ type: 'seen', requests, bytes }));
process.once('SIGTERM', () => process.exit(0));
process.once('disconnect', () => process.exit(0));
