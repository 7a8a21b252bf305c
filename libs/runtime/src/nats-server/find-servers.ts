/**
 * Finds and ends the servers that were started with our configuration file: what an earlier process left behind. A process
 * counts only when its own command line says `nats-server -c <that file>`; no pid file is believed, so no stranger is killed.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { TuttiError } from '@tutti/contracts';
import { RUN_LIMITS } from './limits.ts';
import { runCommand } from './run-command.ts';

/** The process ids of every running nats-server that was started with this configuration file. */
export async function findServers(configPath: string): Promise<number[]> {
  if (process.platform === 'linux') return findInProc(configPath);
  return process.platform === 'win32' ? findWithPowershell(configPath) : findWithPs(configPath);
}

/** Only for the owner of the folder. Waits `graceMs` for them to end by themselves, then SIGTERM, then SIGKILL. */
export async function endServers(configPath: string, graceMs: number, log: (line: string) => void): Promise<void> {
  const seen = new Map<number, string>();
  if (await allEnded(configPath, seen, graceMs)) return;
  for (const [signal, timeoutMs] of [
    ['SIGTERM', RUN_LIMITS.stopTimeoutMs],
    ['SIGKILL', RUN_LIMITS.killTimeoutMs],
  ] as const) {
    for (const pid of await findServers(configPath)) {
      log(`a nats-server on the same folder is still running (process ${pid}): ${signal}`);
      sendSignal(pid, signal);
    }
    if (await allEnded(configPath, seen, timeoutMs)) return;
  }
  const left = [...seen.keys()].filter((pid) => !hasEnded(pid, seen.get(pid)!)).join(', ');
  throw new TuttiError('unavailable', `A nats-server on ${configPath} cannot be ended (process ${left}).`);
}

/**
 * Polls until none is found and every one that was is gone whole: a dying process loses its command line before its last thread
 * has finished writing and its port is free.
 */
async function allEnded(configPath: string, seen: Map<number, string>, timeoutMs: number): Promise<boolean> {
  const deadlineMs = performance.now() + timeoutMs;
  for (;;) {
    for (const pid of await findServers(configPath)) if (!seen.has(pid)) seen.set(pid, startTimeOf(pid));
    if ([...seen].every(([pid, startTime]) => hasEnded(pid, startTime))) return true;
    if (performance.now() > deadlineMs) return false;
    await sleep(RUN_LIMITS.exitPollMs);
  }
}

/** proc(5): state, number of threads and start time; the command name before them is in parentheses and may hold anything. */
function readStat(pid: number): { state: string; threads: number; startTime: string } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0]!, threads: Number(fields[17]), startTime: fields[19]! };
  } catch {
    return undefined;
  }
}

function startTimeOf(pid: number): string {
  return readStat(pid)?.startTime ?? '';
}

/** A zombie has ended, whether or not its parent has taken notice; one whose other threads still run has not. */
function hasEnded(pid: number, startTime: string): boolean {
  if (process.platform === 'linux') {
    const stat = readStat(pid);
    return !stat || stat.startTime !== startTime || (stat.state === 'Z' && stat.threads <= 1);
  }
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
}

export function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended in the meantime.
  }
}

function findInProc(configPath: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => isOurs(readCommandLine(name), configPath))
    .map(Number);
}

function isOurs(words: string[], configPath: string): boolean {
  const option = words.indexOf('-c');
  return basename(words[0] ?? '').startsWith('nats-server') && option > 0 && words[option + 1] === configPath;
}

function readCommandLine(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

async function findWithPs(configPath: string): Promise<number[]> {
  const options = {
    timeoutMs: RUN_LIMITS.processListTimeoutMs,
    env: process.env,
    outputCharsMax: RUN_LIMITS.processListCharsMax,
  };
  const list = await runCommand('ps', ['-axww', '-o', 'pid=,command='], options);
  return list.stdout
    .split('\n')
    .map((line) => line.trim())
    .filter(
      (line) =>
        line.includes('nats-server') && line.endsWith(` -c ${configPath}`) && !line.includes('tutti-nats-guard'),
    )
    .map((line) => Number.parseInt(line, 10));
}

async function findWithPowershell(configPath: string): Promise<number[]> {
  const query =
    'Get-CimInstance Win32_Process -Filter "Name=\'nats-server.exe\'" | ForEach-Object { "$($_.ProcessId) $($_.CommandLine)" }';
  const options = {
    timeoutMs: RUN_LIMITS.processListTimeoutMs,
    env: process.env,
    outputCharsMax: RUN_LIMITS.processListCharsMax,
  };
  const list = await runCommand('powershell', ['-NoProfile', '-NonInteractive', '-Command', query], options);
  const lines = list.stdout.split('\n').filter((line) => line.includes(configPath));
  return lines.map((line) => Number.parseInt(line.trim(), 10));
}
