#!/usr/bin/env node
/**
 * The `tutti` command. Plain JavaScript, since an older system Node may be the one that runs it: then it starts the
 * project's own Node and stands between it and whoever started us. Nothing outlives it, however it ends.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const NODE_MAJOR_MIN = 24;
const here = dirname(fileURLToPath(import.meta.url));

function findNode() {
  for (let folder = here; ; folder = dirname(folder)) {
    const path = join(folder, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
    if (existsSync(path)) return path;
    if (folder === dirname(folder)) return undefined;
  }
}

if (Number(process.versions.node.split('.')[0]) >= NODE_MAJOR_MIN) {
  // `node` in a bundle's commands is this one
  process.env.PATH = `${dirname(process.execPath)}${delimiter}${process.env.PATH ?? ''}`;
  await import('../src/main.ts');
} else {
  const node = findNode();
  if (!node) {
    console.error(
      `tutti: needs Node ${NODE_MAJOR_MIN} or newer (this is ${process.version}). Run "npm install" first: it brings one along.`,
    );
    process.exit(1);
  }
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    // the channel is there to end: that tells the child that we are gone
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, TUTTI_PARENT_CHANNEL: '1' },
  });
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  // a terminal sends Ctrl-C to the child as well
  process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'));
  child.on('error', (error) => {
    console.error(`tutti: cannot start ${node}: ${error.message}`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => process.exit(signal ? 1 : (code ?? 1)));
}
