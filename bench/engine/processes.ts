/**
 * The processes of a benchmark: started as `node file.ts`, watched through /proc (CPU seconds, peak memory; zeros where
 * there is no /proc), ended by their id. Invariant: `stop` leaves none of them running.
 */
import { type ChildProcess, execFileSync, fork } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const repositoryRoot = join(import.meta.dirname, '../..');
const STOP_GRACE_MS = 15_000;

export interface Process {
  name: string;
  pid: number;
  child: ChildProcess;
  stop(): Promise<void>;
}

export interface StartOptions {
  name: string;
  file: string;
  args?: string[];
  env: Record<string, string | undefined>;
  /** Folder for its CPU profile. */
  profiles?: string | undefined;
  /** What it writes is for whoever started it. */
  quiet?: boolean;
}

/** Standard output and error go to this process's error output. Resolves as soon as the process is there. */
export async function startProcess({ name, file, args = [], env, profiles, quiet }: StartOptions): Promise<Process> {
  const child = fork(join(repositoryRoot, file), args, {
    cwd: repositoryRoot,
    env,
    execArgv: profiles ? ['--cpu-prof', `--cpu-prof-dir=${profiles}`, `--cpu-prof-name=${name}.cpuprofile`] : [],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    serialization: 'json',
  });
  for (const stream of quiet ? [] : [child.stdout!, child.stderr!])
    stream.on('data', (chunk: Buffer) => process.stderr.write(chunk.toString().replace(/^(?=.)/gm, `[${name}] `)));
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  return {
    name,
    pid: child.pid!,
    child,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), STOP_GRACE_MS);
      await gone;
      clearTimeout(late);
    },
  };
}

/** The first message of that kind from a process; rejects when it ends before. */
export function messageFrom<T>(from: Process, type: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const onExit = () => reject(new Error(`${from.name} ended`));
    const onMessage = (message: unknown) => {
      const { type: kind, ...rest } = message as { type: string };
      if (kind !== type) return;
      from.child.off('message', onMessage);
      from.child.off('exit', onExit);
      resolve(rest as T);
    };
    from.child.on('message', onMessage);
    from.child.once('exit', onExit);
  });
}

let ticksPerSecond: number | undefined;

/** CPU seconds that the process has used so far, in user and system. */
export function cpuSeconds(pid: number): number {
  try {
    ticksPerSecond ??= Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold spaces: count from behind it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
  } catch {
    return 0;
  }
}

function memory(pid: number, field: 'VmHWM' | 'VmRSS'): number {
  try {
    const match = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return match ? Number(match[1]) / 1024 : 0;
  } catch {
    return 0;
  }
}
export const peakMiB = (pid: number) => memory(pid, 'VmHWM');
export const residentMiB = (pid: number) => memory(pid, 'VmRSS');

/** From here on the peak counts anew. */
export function resetPeak(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/clear_refs`, '5');
  } catch {
    // Not on this system: the peak is that of the whole life then.
  }
}
