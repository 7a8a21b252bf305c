/** `npm run bench -- NAME [options]`: one benchmark a name, each a program of its own that prints what it measured. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';

const BENCHMARKS: Record<string, { file: string; about: string }> = {
  engine: { file: 'engine/main.ts', about: 'runs a second and latency of the whole run engine, beside peers from npm' },
  sessions: {
    file: 'engine/sessions.ts',
    about: 'ten thousand sessions that wait on a slow model: memory, and that all of them end',
  },
  planner: {
    file: 'planner/main.ts',
    about: 'a partition with ten thousand active runs that changes hands, and a hundred thousand parked runs',
  },
  spans: { file: 'spans.ts', about: 'CPU for a span, from made to sent' },
  router: {
    file: 'router/main.ts',
    about: 'models used directly: added latency, requests a second, and a storm of faults, beside Portkey',
  },
  retriever: { file: 'retriever.ts', about: 'indexing and searching, beside FTS5 and a naive scan' },
};

const [name = '', ...options] = process.argv.slice(2);
const benchmark = Object.hasOwn(BENCHMARKS, name) ? BENCHMARKS[name] : undefined;
if (!benchmark) {
  const lines = Object.entries(BENCHMARKS).map(([key, { about }]) => `  ${key.padEnd(10)} ${about}`);
  process.stderr.write(`npm run bench -- NAME [options]\n${lines.join('\n')}\n`);
  process.exit(name === '' || name === '--help' ? 0 : 1);
}
const child = spawn(process.execPath, [join(import.meta.dirname, benchmark.file), ...options], { stdio: 'inherit' });
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
child.once('exit', (code) => process.exit(code ?? 1));
