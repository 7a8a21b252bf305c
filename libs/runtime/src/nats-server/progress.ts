/** Progress for people: one line now and then, with percentage and megabytes, or the time that has gone by. */
import { FETCH_LIMITS } from './limits.ts';

const bytesPerMegabyte = 1_000_000;

/** At most a line per interval, and one at the end. */
export function downloadProgress(
  log: (line: string) => void,
  what: string,
): (bytes: number, bytesTotal: number | undefined) => void {
  let loggedAtMs = performance.now();
  return (bytes, bytesTotal) => {
    const done = bytes === bytesTotal;
    if (!done && performance.now() - loggedAtMs < FETCH_LIMITS.progressIntervalMs) return;
    loggedAtMs = performance.now();
    const percentage = bytesTotal
      ? `${Math.floor((bytes / bytesTotal) * 100)}% of ${megabytes(bytesTotal)}`
      : megabytes(bytes);
    log(`${what}: ${percentage}`);
  };
}

/** For a command that does not say how far it is. */
export async function withHeartbeat<T>(log: (line: string) => void, what: string, work: Promise<T>): Promise<T> {
  const startedAtMs = performance.now();
  const timer = setInterval(
    () => log(`${what}: still at it after ${Math.round((performance.now() - startedAtMs) / 1000)} s`),
    FETCH_LIMITS.progressIntervalMs,
  );
  try {
    return await work;
  } finally {
    clearInterval(timer);
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / bytesPerMegabyte).toFixed(1)} MB`;
}
