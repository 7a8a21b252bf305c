/**
 * The folder `<dataDir>/nats` and the configuration file in it. The file's real path identifies our server among all
 * processes of the machine (find-servers.ts), so it is the same however the folder was spelled.
 */
import { mkdirSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RUN_LIMITS } from './limits.ts';

export interface ServerFolder {
  folder: string;
  configPath: string;
  logPath: string;
  /** The server writes here which port it listens on, in a file that carries its process id. */
  portsDir: string;
}

export interface ServerSettings {
  serverName: string;
  /** -1: any free one. */
  port: number;
  maxPayloadBytes: number;
  syncAlways: boolean;
}

export function openServerFolder(dataDir: string): ServerFolder {
  mkdirSync(join(dataDir, 'nats'), { recursive: true, mode: 0o700 });
  const folder = realpathSync(join(dataDir, 'nats'));
  return {
    folder,
    configPath: join(folder, 'nats-server.conf'),
    logPath: join(folder, 'nats-server.log'),
    portsDir: join(folder, 'ports'),
  };
}

/** Only while no server of ours runs: it forgets the ports of the last one. */
export function writeConfig(files: ServerFolder, settings: ServerSettings): void {
  rmSync(files.portsDir, { recursive: true, force: true });
  mkdirSync(files.portsDir, { mode: 0o700 });
  const temporary = `${files.configPath}.new`;
  writeFileSync(temporary, renderConfig(files, settings), { mode: 0o600 });
  renameSync(temporary, files.configPath);
}

function renderConfig(files: ServerFolder, settings: ServerSettings): string {
  const quoted = JSON.stringify;
  return [
    '# Written by Tutti at every start: changes here are lost.',
    `server_name: ${quoted(settings.serverName)}`,
    `listen: ${quoted(`127.0.0.1:${settings.port}`)}`,
    `max_payload: ${settings.maxPayloadBytes}`,
    `pid_file: ${quoted(join(files.folder, 'nats-server.pid'))}`,
    `ports_file_dir: ${quoted(files.portsDir)}`,
    `log_file: ${quoted(files.logPath)}`,
    `logfile_size_limit: ${RUN_LIMITS.logFileBytesMax}`,
    `logfile_max_num: ${RUN_LIMITS.logFilesMax}`,
    'jetstream {',
    `  store_dir: ${quoted(join(files.folder, 'store'))}`,
    ...(settings.syncAlways ? ['  sync_interval: always'] : []),
    '}',
    '',
  ].join('\n');
}
