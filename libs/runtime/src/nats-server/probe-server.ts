/**
 * Asks a server on this machine, in the plain NATS protocol, whether it is ready: it accepts a connection, says who it is, and
 * its JetStream answers. Without a client library, because a probe must be cheap, bounded and never reconnect.
 */
import { connect } from 'node:net';
import { RUN_LIMITS } from './limits.ts';

export interface ServerInfo {
  version: string;
  server_name: string;
  jetstream?: boolean;
  auth_required?: boolean;
}

const inbox = '_INBOX.tutti.probe';
const question = `CONNECT {"verbose":false,"pedantic":false}\r\nSUB ${inbox} 1\r\nPUB $JS.API.INFO ${inbox} 0\r\n\r\n`;

/** Rejects with an Error that says what was missing. A server that wants credentials is believed its own word on JetStream. */
export function probeServer(port: number): Promise<ServerInfo> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port });
    const finish = (error: Error | undefined, info?: ServerInfo) => {
      clearTimeout(timer);
      socket.destroy();
      return error ? reject(error) : resolve(info!);
    };
    const timer = setTimeout(
      () => finish(new Error('it accepts connections but does not answer')),
      RUN_LIMITS.probeTimeoutMs,
    );
    let text = '';
    let info: ServerInfo | undefined;
    socket.on('error', finish);
    socket.on('close', () => finish(new Error('it closed the connection')));
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      text = (text + chunk).slice(-RUN_LIMITS.probeBytesMax);
      try {
        if (!info) {
          info = readInfo(text);
          if (info?.auth_required) finish(undefined, info);
          else if (info) socket.write(question);
        }
        if (info && hasAnswer(text)) finish(undefined, info);
      } catch (error) {
        finish(error as Error);
      }
    });
  });
}

function readInfo(text: string): ServerInfo | undefined {
  const line = /^INFO (\{.*\})\s*\r\n/m.exec(text)?.[1];
  if (!line) return undefined;
  const info = JSON.parse(line) as ServerInfo;
  if (!info.jetstream) throw new Error('its JetStream is not running');
  return info;
}

function hasAnswer(text: string): boolean {
  const refusal = /^-ERR (.*)\r\n/m.exec(text)?.[1];
  if (refusal) throw new Error(`it refuses: ${refusal}`);
  const payload = new RegExp(`^MSG ${inbox.replaceAll('.', '\\.')} 1 \\d+\\r\\n(.*)\\r\\n`, 'm').exec(text)?.[1];
  if (payload === undefined) return false;
  const error = (JSON.parse(payload) as { error?: { description?: string } }).error;
  if (error) throw new Error(`its JetStream says: ${error.description}`);
  return true;
}
