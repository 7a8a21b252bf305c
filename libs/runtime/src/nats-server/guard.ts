/**
 * Starts one nats-server process that cannot outlive ours. Between us and it stands a small shell, the guard: it blocks on a
 * pipe from us, and the end of that pipe (we said stop, or we were killed, SIGKILL included) makes it end the server.
 * Both live in a session of their own, so that Ctrl-C in a terminal reaches us alone and the bus outlasts our draining.
 * Windows has no such shell: there the server is a plain child.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { RUN_LIMITS } from './limits.ts';

/** $1 the server, $2 its configuration, $3 the seconds from SIGTERM to SIGKILL. Prints the server's process id. */
const guardScript = `
exec 3<&0
"$1" -c "$2" </dev/null 3<&- &
server=$!
echo "$server"
{
  read -r line <&3
  kill -TERM "$server"
  waited=0
  while [ "$waited" -lt "$3" ] && kill -0 "$server"; do
    sleep 1
    waited=$((waited + 1))
  done
  kill -KILL "$server"
} >/dev/null 2>&1 &
watcher=$!
exec 3<&-
wait "$server"
code=$?
kill -KILL "$watcher" 2>/dev/null
exit "$code"
`;

export interface GuardedServer {
  /** Of nats-server itself, not of the guard. */
  pid: Promise<number>;
  /** Resolves when it has ended, with how; never rejects. */
  exit: Promise<string>;
  hasExited(): boolean;
  /** What it wrote to stderr last: its log goes to a file, so this is what it says before that, or a crash. */
  stderrTail(): string;
  /** Asks it to end; `exit` says when it has. */
  end(): void;
  /** Ends it at once. */
  kill(): void;
}

export function spawnGuarded(path: string, configPath: string): GuardedServer {
  const guarded = process.platform !== 'win32';
  const child = guarded
    ? spawnGuard(path, configPath)
    : spawn(path, ['-c', configPath], { stdio: ['pipe', 'pipe', 'pipe'], windowsHide: true });
  let exited = false;
  let serverPid: number | undefined;
  const exit = exitOf(child).finally(() => {
    exited = true;
    child.stdin!.destroy();
  });
  const pid = (guarded ? readPid(child) : Promise.resolve(child.pid ?? 0)).then((found) => {
    serverPid = found;
    return found;
  });
  child.stdin!.on('error', () => {});
  return {
    pid,
    exit,
    hasExited: () => exited,
    stderrTail: keepTail(child),
    end: () => (guarded ? child.stdin!.end() : child.kill()),
    kill: () => !exited && killBoth(child, serverPid),
  };
}

function spawnGuard(path: string, configPath: string): ChildProcess {
  const stopSeconds = String(Math.ceil(RUN_LIMITS.stopTimeoutMs / 1000));
  return spawn('/bin/sh', ['-c', guardScript, 'tutti-nats-guard', path, configPath, stopSeconds], {
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
    cwd: '/',
  });
}

function exitOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(`could not be started: ${error.message}`));
    // Not 'close': when the guard alone was killed, the server still holds the pipes.
    child.once('exit', (code, signal) => resolve(describeExit(code, signal)));
  });
}

/** A shell reports a child that a signal ended as 128 + the signal's number. */
function describeExit(code: number | null, signal: string | null): string {
  if (signal) return `its guard was ended by ${signal}`;
  if (code === null) return 'ended';
  return code > 128 ? `ended by signal ${code - 128}` : `ended with exit code ${code}`;
}

function readPid(child: ChildProcess): Promise<number> {
  return new Promise((resolve) => {
    let text = '';
    child.stdout!.setEncoding('utf8').on('data', (chunk: string) => {
      if (text.includes('\n')) return;
      text += chunk;
      if (text.includes('\n')) resolve(Number.parseInt(text, 10));
    });
  });
}

function keepTail(child: ChildProcess): () => string {
  let tail = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    tail = (tail + text).slice(-RUN_LIMITS.errorTailChars);
  });
  return () => tail.trim();
}

function killBoth(child: ChildProcess, serverPid: number | undefined): void {
  try {
    if (serverPid) process.kill(serverPid, 'SIGKILL');
  } catch {
    // It has ended in the meantime.
  }
  child.kill('SIGKILL');
}
