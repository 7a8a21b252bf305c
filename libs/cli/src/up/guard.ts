/**
 * Runs a command that cannot outlive us. A small shell stands between: it blocks on a pipe from us, and the end of that
 * pipe (we said stop, or we were killed, SIGKILL included) makes it end the command and all that the command has started.
 * Windows has no such shell: there it is a plain child.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { UP_LIMITS } from './limits.ts';

/** $1 the seconds from SIGTERM to SIGKILL, then the command. The shell leads a process group of its own. */
const SCRIPT = `
seconds=$1
shift
exec 3<&0
"$@" </dev/null 3<&- &
command=$!
{
  read -r line <&3
  kill -TERM "$command"
  waited=0
  while [ "$waited" -lt "$((seconds * 10))" ] && kill -0 "$command"; do
    sleep 0.1
    waited=$((waited + 1))
  done
  kill -KILL 0
} >/dev/null 2>&1 &
watcher=$!
exec 3<&-
wait "$command"
code=$?
kill -KILL "$watcher" 2>/dev/null
exit "$code"
`;

export interface GuardedCommand {
  /** Resolves with how it ended; never rejects. */
  exited: Promise<string>;
  /** Resolves when it has ended. */
  stop(): Promise<void>;
}

export interface GuardOptions {
  cwd: string;
  env: Record<string, string | undefined>;
  /** File descriptor for its output. */
  output: number;
}

export function runGuarded(command: string[], options: GuardOptions): GuardedCommand {
  const child = spawnGuard(command, options);
  const exited = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(`could not be started: ${error.message}`));
    child.once('exit', (code, signal) => resolve(describe(code, signal)));
  });
  child.stdin?.on('error', () => {});
  return {
    exited,
    async stop() {
      if (process.platform === 'win32') child.kill();
      child.stdin?.end();
      await exited;
    },
  };
}

function spawnGuard(command: string[], { cwd, env, output }: GuardOptions): ChildProcess {
  const stdio: ['pipe', number, number] = ['pipe', output, output];
  if (process.platform === 'win32') return spawn(command[0]!, command.slice(1), { cwd, env, stdio, windowsHide: true });
  const seconds = String(UP_LIMITS.helperStopSeconds);
  return spawn('/bin/sh', ['-c', SCRIPT, 'tutti-guard', seconds, ...command], { cwd, env, stdio, detached: true });
}

/** A shell reports a child that a signal ended as 128 + the signal's number. */
function describe(code: number | null, signal: string | null): string {
  if (signal) return `ended by ${signal}`;
  return code !== null && code > 128 ? `ended by signal ${code - 128}` : `ended with exit code ${code}`;
}
