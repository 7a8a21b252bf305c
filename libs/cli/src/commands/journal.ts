/** Commands about one run's journal: `tutti journal`, `state`, `fork`, `input`, `cancel`, and `tutti preflight`. */
import { readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { TuttiError } from '@tutti/contracts';
import { loadBundle } from '../bundle/load.ts';
import { oneLine, safe } from '../chat/format.ts';
import { createApi } from '../client/api.ts';
import { EXIT } from '../report.ts';
import { dim, green, red, yellow } from '../style.ts';
import { table } from '../table.ts';

const REASON_CHARS_MAX = 100;
const path = (run: string) => `/v1/runs/${encodeURIComponent(run)}`;

/** JSON Lines, as they are stored. */
export async function journalCommand(run: string, options: { url?: string; children?: boolean }): Promise<number> {
  const query = `format=jsonl${options.children ? '&children=true' : ''}`;
  const response = await createApi(options.url).open(`${path(run)}/journal?${query}`, {}, new AbortController().signal);
  await pipeline(Readable.fromWeb(response.body as never), process.stdout, { end: false });
  return EXIT.ok;
}

export async function stateCommand(run: string, options: { url?: string; version?: string }): Promise<number> {
  const query = options.version ? `?version=${encodeURIComponent(options.version)}` : '';
  const { version, state } = await createApi(options.url).get<{ version: number; state: unknown }>(
    `${path(run)}/state${query}`,
  );
  console.log(JSON.stringify({ version, state }, null, 2));
  return EXIT.ok;
}

export interface ForkOptions {
  url?: string;
  at: string;
  input?: string;
  model?: string;
  instructions?: string;
  bundle?: string;
  block?: boolean;
}

export async function forkCommand(run: string, options: ForkOptions): Promise<number> {
  const body = {
    version: Number(options.at),
    ...(options.input ? { input: options.input } : {}),
    ...(options.model ? { model: options.model } : {}),
    ...(options.instructions ? { instructions: await textOf(options.instructions) } : {}),
    ...(options.bundle ? { bundle: options.bundle } : {}),
    effects: options.block ? 'block' : 'approve',
  };
  const fork = await createApi(options.url).send<{ id: string }>('POST', `${path(run)}/fork`, body);
  console.log(`${green('forked:')} ${fork.id}`);
  console.log(dim(`see what comes of it: npx tutti runs ${fork.id}`));
  return EXIT.ok;
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new TuttiError('invalid_request', `cannot read ${file}: ${(cause as Error).message}`, { cause });
  }
}

export async function inputCommand(run: string, text: string, options: { url?: string }): Promise<number> {
  await createApi(options.url).send('POST', `${path(run)}/input`, { text });
  console.log(`${green('answered.')} ${dim(`see what comes of it: npx tutti runs ${run}`)}`);
  return EXIT.ok;
}

export async function cancelCommand(run: string, options: { url?: string; reason?: string }): Promise<number> {
  await createApi(options.url).send('POST', `${path(run)}/cancel`, { reason: options.reason ?? '' });
  console.log(yellow(`cancelling ${run}`));
  return EXIT.ok;
}

interface Report {
  run: string;
  agent: string;
  status: string;
  verdict: string;
  step?: number;
  reason?: string;
}

/** Exit code 1 when anything diverges. */
export async function preflightCommand(
  dir: string,
  options: { url?: string; scope: string; limit: string },
): Promise<number> {
  const { bundle } = loadBundle(dir);
  const body = { bundle, scope: options.scope, limit: Number(options.limit) };
  const { data } = await createApi(options.url).send<{ data: Report[] }>('POST', '/v1/preflight', body);
  if (data.length === 0) console.log(dim(`no ${options.scope} runs`));
  else console.log(table(['RUN', 'AGENT', 'STATUS', 'VERDICT', 'WHY'], data.map(rowOf)));
  return data.every(({ verdict }) => verdict === 'same') ? EXIT.ok : EXIT.failed;
}

function rowOf({ run, agent, status, verdict, step, reason }: Report): string[] {
  const why = [step === undefined ? '' : `at step ${step}:`, oneLine(safe(reason ?? ''), REASON_CHARS_MAX)];
  return [run, agent, status, verdict === 'same' ? 'same' : red(verdict), why.filter(Boolean).join(' ')];
}
