/** Running, stopping and surviving, with the real server and real kills. */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from 'nats';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { findServers } from './find-servers.ts';
import { type NatsServer, type StartOptions, startNatsServer } from './start.ts';
import { holdServer, isAlive, serverBinary, temporaryFolder, until } from './test-support.ts';

let path: string;
beforeAll(async () => {
  path = await serverBinary();
}, 300_000);

async function start(
  overrides: Partial<StartOptions> = {},
): Promise<NatsServer & { lines: string[]; dataDir: string }> {
  const lines: string[] = [];
  const options = { path, dataDir: temporaryFolder(), log: (line: string) => void lines.push(line), ...overrides };
  const server = await startNatsServer(options);
  onTestFinished(() => server.stop());
  return Object.assign(Object.create(server) as NatsServer, { lines, dataDir: options.dataDir });
}

async function client(url: string): Promise<NatsConnection> {
  const connection = await connect({ servers: url, maxReconnectAttempts: -1, reconnectTimeWait: 50 });
  onTestFinished(() => connection.close());
  return connection;
}

const configPath = (dataDir: string) => join(dataDir, 'nats/nats-server.conf');

describe('a server', () => {
  test('listens on this machine only, with JetStream, the wanted payload and name; stop leaves nothing behind', async () => {
    const server = await start({ serverName: 'tutti-test', maxPayloadBytes: 1_000_000, syncAlways: true });
    const connection = await client(server.url);
    expect(connection.info).toMatchObject({ server_name: 'tutti-test', max_payload: 1_000_000, jetstream: true });
    expect(new URL(server.url).hostname).toBe('127.0.0.1');
    expect(readFileSync(configPath(server.dataDir), 'utf8')).toMatch(/sync_interval: always/);
    await connection.close();
    await server.stop();
    expect(await server.exited).toEqual({ reason: 'stopped' });
    expect(isAlive(server.pid)).toBe(false);
    await server.stop();
    expect(existsSync(join(server.dataDir, 'nats/nats-server.log'))).toBe(true);
  });

  test('takes the port that is asked for, and payloads of 8 MB by default', async () => {
    const port = await freePort();
    const server = await start({ port });
    expect(server.url).toBe(`nats://127.0.0.1:${port}`);
    expect((await client(server.url)).info?.max_payload).toBe(8 * 1024 * 1024);
  });

  test('a data folder with odd characters in its name is fine', async () => {
    const server = await start({ dataDir: join(temporaryFolder(), 'my "data" $HOME äö {x} #1') });
    expect((await client(server.url)).info?.jetstream).toBe(true);
  });

  test('a port that is taken: the error says so, the folder is free again, nothing runs', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void taken.close());
    await until('listening', () => taken.listening);
    const dataDir = temporaryFolder();
    const attempt = startNatsServer({ path, dataDir, port: (taken.address() as AddressInfo).port, log: () => {} });
    await expect(attempt).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(/address already in use/),
    });
    expect(await findServers(configPath(dataDir))).toEqual([]);
    await (await start({ dataDir })).stop();
  });

  test('a binary that is not there or is no server: an error at once', async () => {
    const attempt = (binary: string) => startNatsServer({ path: binary, dataDir: temporaryFolder(), log: () => {} });
    await expect(attempt('/nowhere/nats-server')).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(/not found/),
    });
    await expect(attempt('/bin/false')).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(/exit code 1/),
    });
  });

  test('what was stored is there after stop and start', async () => {
    const dataDir = temporaryFolder();
    const first = await start({ dataDir });
    const connection = await client(first.url);
    await (await jetstreamManager(connection)).streams.add({ name: 'KEPT', subjects: ['kept'] });
    await jetstream(connection).publish('kept', 'one');
    await connection.close();
    await first.stop();
    const second = await start({ dataDir });
    const manager = await jetstreamManager(await client(second.url));
    expect((await manager.streams.info('KEPT')).state.messages).toBe(1);
  });
});

describe('when the server dies', () => {
  test('kill -9, again and again: same port, clients reconnect, nothing acknowledged is lost', {
    timeout: 60_000,
  }, async () => {
    const server = await start();
    const connection = await client(server.url);
    await (await jetstreamManager(connection)).streams.add({ name: 'KEPT', subjects: ['kept'] });
    const js = jetstream(connection);
    let acknowledged = 0;
    for (let round = 1; round <= 3; round += 1) {
      for (let index = 0; index < 200; index += 1) acknowledged = (await js.publish('kept', `${index}`)).seq;
      const before = server.pid;
      process.kill(before, 'SIGKILL');
      await until('a new process', () => server.pid !== before);
      await until('the client is back', async () =>
        connection.flush().then(
          () => true,
          () => false,
        ),
      );
    }
    const info = await (await jetstreamManager(connection)).streams.info('KEPT');
    expect(acknowledged).toBe(600);
    expect(info.state.messages).toBe(600);
    expect(server.lines.filter((line) => line.includes('ended by signal 9'))).toHaveLength(3);
    expect(server.lines.filter((line) => line.includes('runs again on port'))).toHaveLength(3);
  });

  test('a guard that is killed takes its server along, and both come back on the same port', async () => {
    const server = await start();
    const before = server.pid;
    process.kill(parentOf(before), 'SIGKILL');
    await until('a new process', () => server.pid !== before);
    expect(isAlive(before)).toBe(false);
    expect((await client(server.url)).info?.jetstream).toBe(true);
  });

  test('stop while it is being started again', async () => {
    const server = await start();
    process.kill(server.pid, 'SIGKILL');
    await until('it was noticed', () => server.lines.length > 0);
    await server.stop();
    expect(await server.exited).toEqual({ reason: 'stopped' });
    expect(await findServers(configPath(server.dataDir))).toEqual([]);
  });
});

describe('when our process dies', () => {
  test('SIGKILL: the guard ends the server at once', async () => {
    const held = await holdServer(path, temporaryFolder());
    const guard = parentOf(held.report.pid!);
    held.process.kill('SIGKILL');
    await until('server and guard are gone', () => !isAlive(held.report.pid!) && !isAlive(guard));
  });

  test('the next start on the folder waits for the old server, then keeps what it stored', async () => {
    const dataDir = temporaryFolder();
    const held = await holdServer(path, dataDir);
    const connection = await client(held.report.url!);
    await (await jetstreamManager(connection)).streams.add({ name: 'KEPT', subjects: ['kept'] });
    await jetstream(connection).publish('kept', 'one');
    await connection.close();
    process.kill(held.report.pid!, 'SIGSTOP'); // It will not heed the guard's SIGTERM for a while.
    held.process.kill('SIGKILL');
    setTimeout(() => isAlive(held.report.pid!) && process.kill(held.report.pid!, 'SIGCONT'), 500);
    const next = await start({ dataDir });
    expect(isAlive(held.report.pid!)).toBe(false);
    const manager = await jetstreamManager(await client(next.url));
    expect((await manager.streams.info('KEPT')).state.messages).toBe(1);
  });

  test('an orphan without a guard is ended by the next start', async () => {
    const dataDir = temporaryFolder();
    const held = await holdServer(path, dataDir);
    const orphan = held.report.pid!;
    // Stopped, it cannot answer the death of its guard by starting the server anew.
    held.process.kill('SIGSTOP');
    // With both of the guard's shells killed, nothing acts when the pipe ends.
    for (const pid of guardProcesses(orphan)) process.kill(pid, 'SIGKILL');
    held.process.kill('SIGKILL');
    await until('our process is gone', () => !isAlive(held.process.pid!) || held.process.signalCode !== null);
    expect(isAlive(orphan)).toBe(true);
    const next = await start({ dataDir });
    expect(isAlive(orphan)).toBe(false);
    expect(next.lines.join('\n')).toMatch(new RegExp(`still running \\(process ${orphan}\\): SIGTERM`));
  });
});

describe('a second start on the same folder', () => {
  test('is refused and names the first, from another process and from this one', async () => {
    const server = await start();
    const held = await holdServer(path, server.dataDir);
    expect(held.report).toMatchObject({
      code: 'conflict',
      error: expect.stringMatching(new RegExp(`running on .* already \\(process ${process.pid}`)),
    });
    await expect(start({ dataDir: server.dataDir })).rejects.toMatchObject({
      code: 'conflict',
      details: { pid: process.pid },
    });
    expect((await client(server.url)).info?.jetstream).toBe(true);
  });

  test('of two at once exactly one wins', async () => {
    const dataDir = temporaryFolder();
    const both = await Promise.all([holdServer(path, dataDir), holdServer(path, dataDir)]);
    const codes = both.map(({ report }) => report.code ?? 'runs').sort();
    expect(codes).toEqual(['conflict', 'runs']);
    expect(await findServers(configPath(dataDir))).toHaveLength(1);
  });

  test('a pid file that names a stranger is not believed', async () => {
    const dataDir = temporaryFolder();
    await (await start({ dataDir })).stop();
    const stranger = spawn('/bin/sleep', ['60']);
    onTestFinished(() => void stranger.kill('SIGKILL'));
    for (const name of ['nats-server.pid', 'owner.json']) writeFileSync(join(dataDir, 'nats', name), `${stranger.pid}`);
    await start({ dataDir });
    expect(isAlive(stranger.pid!)).toBe(true);
  });
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await until('listening', () => server.listening);
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function parentOf(pid: number): number {
  return Number(execFileSync('ps', ['-o', 'ppid=', '-p', `${pid}`], { encoding: 'utf8' }));
}

/** The guard's shells: everything in the server's session but itself. */
function guardProcesses(serverPid: number): number[] {
  const guard = parentOf(serverPid);
  const list = execFileSync('ps', ['-axo', 'pid=,pgid='], { encoding: 'utf8' });
  const rows = list
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number));
  return rows.filter(([pid, group]) => group === guard && pid !== serverPid).map(([pid]) => pid!);
}
