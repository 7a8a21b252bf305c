/** JSON logs by pino. Each line carries the service; no secrets and no content of runs. */
import { pino } from 'pino';

export type Logger = Pick<pino.Logger, 'debug' | 'info' | 'warn' | 'error'> & {
  child(bindings: Record<string, unknown>): Logger;
};

/** `level`: pino's names, `silent` for none. `destination`: a file; standard error where it is left out. */
export function createLogger(
  bindings: Record<string, unknown>,
  options: { level?: string; destination?: string } = {},
): Logger {
  const stream = options.destination
    ? pino.destination({ dest: options.destination, mkdir: true, sync: false })
    : pino.destination({ fd: 2, sync: false });
  return pino(
    { level: options.level ?? 'info', base: bindings, redact: ['*.apiKey', '*.authorization'] },
    stream,
  ) as unknown as Logger;
}
