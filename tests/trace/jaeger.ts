/**
 * A real Jaeger v2 for the trace's check: JAEGER_BIN, `jaeger` on the PATH, or built with Go from its module once into the
 * cache. With memory storage, on ports of its own, on loopback. Gone after `stop`.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { cacheDir, until } from '@tutti/testkit';
import { freePort } from '../e2e/stack.ts';
import { type JaegerTrace, type Span, spansOfJaeger } from './spans.ts';

/** The newest that its module's proxy offers as a plain module: later ones are released as binaries and images alone. */
export const JAEGER_VERSION = 'v1.76.0';
const run = promisify(execFile);

export interface Jaeger {
  version: string;
  /** For OTEL_EXPORTER_OTLP_ENDPOINT. */
  otlpUrl: string;
  /** Of its query API and its UI. */
  url: string;
  trace(traceId: string): Promise<Span[]>;
  /** The spans of a service whose tags are these. */
  find(service: string, tags: Record<string, string>): Promise<Span[]>;
  stop(): Promise<void>;
}

/** Undefined: there is none, and none can be built; `why` is told. */
export async function findJaeger(say: (line: string) => void): Promise<string | undefined> {
  const named = process.env.JAEGER_BIN;
  if (named) {
    if (!existsSync(named)) throw new Error(`JAEGER_BIN is ${named}, and there is no such file`);
    return named;
  }
  const onPath = (name: string) =>
    (process.env.PATH ?? '')
      .split(delimiter)
      .map((dir) => join(dir, name))
      .find((file) => existsSync(file));
  const installed = onPath('jaeger');
  if (installed) return installed;
  const built = join(cacheDir, `jaeger-${JAEGER_VERSION}`, 'jaeger');
  if (existsSync(built)) return built;
  if (!onPath('go')) return void say('no jaeger on the PATH or in JAEGER_BIN, and no Go to build one with');
  say(`building Jaeger ${JAEGER_VERSION} with Go into ${built}: some minutes, once`);
  return build(built).catch((error: Error) => void say(`Jaeger could not be built: ${error.message.slice(0, 500)}`));
}

/** Within a copy of its module, so that its own go.mod, with its replace lines, and its go.sum hold. */
async function build(file: string): Promise<string> {
  const { stdout } = await run(
    'go',
    ['mod', 'download', '-json', `github.com/jaegertracing/jaeger@${JAEGER_VERSION}`],
    {
      cwd: tmpdir(),
    },
  );
  const source = mkdtempSync(join(tmpdir(), 'jaeger-'));
  try {
    cpSync((JSON.parse(stdout) as { Dir: string }).Dir, source, { recursive: true });
    await run('chmod', ['-R', 'u+w', source]);
    mkdirSync(join(file, '..'), { recursive: true });
    const flags = ['-mod=readonly', '-trimpath', '-ldflags', '-s -w', '-o', `${file}.part`];
    const env = { ...process.env, CGO_ENABLED: '0' };
    await run('go', ['build', ...flags, './cmd/jaeger'], { cwd: source, env, maxBuffer: 64 * 1024 * 1024 });
    renameSync(`${file}.part`, file);
    return file;
  } finally {
    rmSync(source, { recursive: true, force: true });
  }
}

export async function startJaeger(file: string): Promise<Jaeger> {
  const dir = mkdtempSync(join(tmpdir(), 'tutti-jaeger-'));
  const [query, grpc, otlp] = [await freePort(), await freePort(), await freePort()];
  writeFileSync(join(dir, 'jaeger.yaml'), configOf({ query, grpc, otlp }));
  const child = spawn(file, ['--config', join(dir, 'jaeger.yaml')], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => {
      output = (output + chunk).slice(-20_000);
    });
  const url = `http://127.0.0.1:${query}`;
  const ask = async <T>(path: string): Promise<T[]> => {
    const response = await fetch(`${url}${path}`);
    if (response.status === 404) return [];
    if (!response.ok) throw new Error(`Jaeger answered ${response.status} to ${path}: ${await response.text()}`);
    return ((await response.json()) as { data: T[] | null }).data ?? [];
  };
  await until('Jaeger', async () => {
    if (child.exitCode !== null) throw new Error(`Jaeger ended: ${output}`);
    return fetch(`${url}/api/services`).then((response) => response.ok);
  });
  return {
    version: await versionOf(file),
    otlpUrl: `http://127.0.0.1:${otlp}`,
    url,
    trace: async (traceId) => (await ask<JaegerTrace>(`/api/traces/${traceId}`)).flatMap(spansOfJaeger),
    find: async (service, tags) => {
      const query = new URLSearchParams({ service, tags: JSON.stringify(tags), limit: '20', lookback: '1h' });
      return (await ask<JaegerTrace>(`/api/traces?${query}`)).flatMap(spansOfJaeger);
    },
    stop: () => stopped(child).finally(() => rmSync(dir, { recursive: true, force: true })),
  };
}

async function stopped(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await gone;
}

async function versionOf(file: string): Promise<string> {
  const { stdout } = await run(file, ['version']).catch(() => ({ stdout: '' }));
  return /"gitVersion":\s*"(v[^"]+)"/.exec(stdout)?.[1] ?? JAEGER_VERSION;
}

function configOf({ query, grpc, otlp }: { query: number; grpc: number; otlp: number }): string {
  return `service:
  extensions: [jaeger_storage, jaeger_query]
  pipelines:
    traces: {receivers: [otlp], exporters: [jaeger_storage_exporter]}
  telemetry:
    metrics: {level: none}
    logs: {level: warn}
extensions:
  jaeger_storage: {backends: {mem: {memory: {max_traces: 1000}}}}
  jaeger_query:
    storage: {traces: mem}
    http: {endpoint: "127.0.0.1:${query}"}
    grpc: {endpoint: "127.0.0.1:${grpc}"}
receivers:
  otlp: {protocols: {http: {endpoint: "127.0.0.1:${otlp}"}}}
exporters:
  jaeger_storage_exporter: {trace_storage: mem}
`;
}
