/** Runs one helper command to its end: never without a time limit, never with more than a bounded part of its output kept. */
import { spawn } from 'node:child_process';
import { FETCH_LIMITS } from './limits.ts';
import type { Environment } from './pinned.ts';

export interface CommandResult {
  /** undefined: it could not be started, or was ended by a signal or by the time limit. */
  exitCode: number | undefined;
  stdout: string;
  stderr: string;
  /** Why it did not succeed, in words; empty when it did. */
  failure: string;
  /** The command does not exist here. */
  missing: boolean;
  /** Errno of a failed start, such as ETXTBSY. */
  startError: string;
}

export interface CommandOptions {
  timeoutMs: number;
  env: Environment;
  cwd?: string;
  /** How much of each output is kept, from its end. */
  outputCharsMax?: number;
}

/** Never rejects: a failure is part of the result. On the time limit the command is killed with all that it started. */
export function runCommand(command: string, parameters: string[], options: CommandOptions): Promise<CommandResult> {
  return new Promise((resolve) => {
    const ownGroup = process.platform !== 'win32';
    const child = spawn(command, parameters, {
      cwd: options.cwd,
      env: options.env as NodeJS.ProcessEnv,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: ownGroup,
      windowsHide: true,
    });
    const output = { stdout: '', stderr: '' };
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      killTree(child.pid, ownGroup);
    }, options.timeoutMs);
    for (const stream of ['stdout', 'stderr'] as const) {
      child[stream].setEncoding('utf8').on('data', (text: string) => {
        output[stream] = (output[stream] + text).slice(-(options.outputCharsMax ?? FETCH_LIMITS.commandOutputCharsMax));
      });
    }
    child.on('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      const startError = error.code ?? 'unknown';
      const missing = startError === 'ENOENT';
      resolve({
        exitCode: undefined,
        ...output,
        failure: missing ? `${command}: not found` : error.message,
        missing,
        startError,
      });
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      const failure = describeEnd(
        code,
        signal,
        timedOut ? options.timeoutMs : undefined,
        output.stderr || output.stdout,
      );
      resolve({ exitCode: code ?? undefined, ...output, failure, missing: false, startError: '' });
    });
  });
}

function describeEnd(
  code: number | null,
  signal: string | null,
  timedOutMs: number | undefined,
  output: string,
): string {
  if (timedOutMs !== undefined) return `did not end within ${timedOutMs / 1000} s`;
  if (code === 0) return '';
  const end = code === null ? `was ended by ${signal}` : `ended with exit code ${code}`;
  const words = lastWords(output);
  return words ? `${end}: ${words}` : end;
}

/** The last lines that say something: tools put the reason at the end. */
function lastWords(output: string): string {
  const lines = output.split('\n').map((line) => line.trim());
  return lines.filter(Boolean).slice(-3).join(' | ').slice(-FETCH_LIMITS.reasonCharsMax);
}

function killTree(pid: number | undefined, ownGroup: boolean): void {
  if (pid === undefined) return;
  try {
    process.kill(ownGroup ? -pid : pid, 'SIGKILL');
  } catch {
    // It has ended in the meantime.
  }
}
