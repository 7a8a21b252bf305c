/** Runs the `tutti` command as people do: as a process. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { join } from 'node:path';
import { REPOSITORY } from '../paths.ts';

export interface Outcome {
  code: number | null;
  output: string;
  errors: string;
}

export interface RunningCommand {
  child: ChildProcessWithoutNullStreams;
  /** What it has written to standard output so far. */
  output(): string;
  /** Resolves once the output matches. Rejects when the process ends before. */
  says(pattern: RegExp): Promise<void>;
  ended: Promise<Outcome>;
}

export function startTutti(
  args: string[],
  options: { env?: Record<string, string>; cwd?: string } = {},
): RunningCommand {
  const { NATS_URL: _, OPENAI_API_KEY: __, OPENAI_BASE_URL: ___, TUTTI_MODEL: ____, ...inherited } = process.env;
  const child = spawn(process.execPath, [join(REPOSITORY, 'libs/cli/bin/tutti.js'), ...args], {
    env: { ...inherited, NO_COLOR: '1', ...options.env },
    cwd: options.cwd ?? REPOSITORY,
  });
  let output = '';
  let errors = '';
  const watchers = new Set<() => void>();
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    for (const watch of watchers) watch();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  const ended = new Promise<Outcome>((resolve) => child.on('close', (code) => resolve({ code, output, errors })));
  return {
    child,
    output: () => output,
    says(pattern) {
      return new Promise((resolve, reject) => {
        const watch = () => {
          if (!pattern.test(output)) return;
          watchers.delete(watch);
          resolve();
        };
        watchers.add(watch);
        void ended.then(({ code }) =>
          reject(new Error(`ended with ${code} without saying ${pattern}:\n${output}\n${errors}`)),
        );
        watch();
      });
    },
    ended,
  };
}

/** `input`: all of standard input. */
export function runTutti(
  args: string[],
  options: { env?: Record<string, string>; cwd?: string; input?: string } = {},
): Promise<Outcome> {
  const running = startTutti(args, options);
  running.child.stdin.end(options.input ?? '');
  return running.ended;
}
