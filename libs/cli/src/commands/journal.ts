/** Commands about one run's journal: `tutti journal`, `state`, `fork`, `input`, `cancel`, and `tutti preflight`. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { TuttiError } from '@tutti/contracts';
import { readBundle } from '../bundle/remote-documents.ts';
import { oneLine, safe } from '../chat/format.ts';
import { entryLine, type JournalPage, lateLine } from '../chat/journal-lines.ts';
import { type Api, createApi } from '../client/api.ts';
import { EXIT } from '../report.ts';
import { bold, dim, green, yellow } from '../style.ts';
import { table } from '../table.ts';

const REASON_CHARS_MAX = 100;
const JOURNAL_PAGE = 500;
/** A little more than the gateway takes. */
const PREFLIGHT_TIMEOUT_MS = 150_000;
const path = (run: string) => `/v1/runs/${encodeURIComponent(run)}`;

export interface JournalOptions {
  url?: string;
  jsonl?: boolean;
  children?: boolean;
}

/** A line an entry for people, or with `jsonl` the entries as they are stored. */
export async function journalCommand(run: string, options: JournalOptions): Promise<number> {
  const api = createApi(options.url);
  if (!options.jsonl) return showJournal(api, run, options.children ?? false);
  const query = `format=jsonl${options.children ? '&children=true' : ''}`;
  const response = await api.open(`${path(run)}/journal?${query}`, {}, new AbortController().signal);
  try {
    await pipeline(Readable.fromWeb(response.body as never), process.stdout, { end: false });
  } catch (cause) {
    // Whoever reads us has had enough.
    if ((cause as NodeJS.ErrnoException).code === 'EPIPE') return EXIT.ok;
    throw new TuttiError('unavailable', 'the journal broke off: what was printed is not all of it; try again', {
      cause,
    });
  }
  return EXIT.ok;
}

async function showJournal(api: Api, run: string, children: boolean): Promise<number> {
  const below: string[] = [];
  for (let after = 0; ; ) {
    const page = await api.get<JournalPage>(`${path(run)}/journal?after=${after}&limit=${JOURNAL_PAGE}`);
    for (const entry of page.data) {
      console.log(entryLine(entry));
      if (entry.type === 'child.started') below.push(entry.child as string);
    }
    if (!page.has_more) {
      for (const late of page.late ?? []) console.log(lateLine(late));
      break;
    }
    after = page.data.at(-1)!.n;
  }
  for (const child of children ? below : []) {
    console.log(`\n${bold(child)}`);
    await showJournal(api, child, true);
  }
  return EXIT.ok;
}

export async function stateCommand(run: string, options: { url?: string; version?: number }): Promise<number> {
  const query = options.version === undefined ? '' : `?version=${options.version}`;
  const { version, state } = await createApi(options.url).get<{ version: number; state: unknown }>(
    `${path(run)}/state${query}`,
  );
  console.log(JSON.stringify({ version, state }, null, 2));
  return EXIT.ok;
}

export interface ForkOptions {
  url?: string;
  at: number;
  input?: string;
  model?: string;
  instructions?: string;
  bundle?: string;
  effects?: 'approve' | 'block';
}

export async function forkCommand(run: string, options: ForkOptions): Promise<number> {
  const { at, input, model, instructions, bundle, effects } = options;
  const body = {
    version: at,
    ...(input === undefined ? {} : { input }),
    ...(model === undefined ? {} : { model }),
    ...(instructions === undefined ? {} : { instructions: await textOf(instructions) }),
    ...(bundle === undefined ? {} : { bundle: existsSync(bundle) ? (await readBundle(bundle)).bundle : bundle }),
    ...(effects === undefined ? {} : { effects }),
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

export async function inputCommand(
  run: string,
  text: string,
  { url, question }: { url?: string; question?: string },
): Promise<number> {
  const body = { text, ...(question === undefined ? {} : { question }) };
  const { answered } = await createApi(url).send<{ answered: string }>('POST', `${path(run)}/input`, body);
  console.log(`${green('answered')} ${answered}. ${dim(`see what comes of it: npx tutti runs ${run}`)}`);
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

interface Page {
  bundle: string;
  data: Report[];
  next?: string | null;
}

export interface PreflightOptions {
  url?: string;
  scope: string;
  limit: number;
  all?: boolean;
  run?: string[];
}

const VERDICTS = { same: 'same', diverges: 'diverging', unreadable: 'unreadable' };

/** Exit code 1 when anything diverges. */
export async function preflightCommand(dir: string, options: PreflightOptions): Promise<number> {
  const counts = new Map<string, number>();
  const shown: Report[] = [];
  for await (const report of reportsOf(dir, options)) {
    counts.set(report.verdict, (counts.get(report.verdict) ?? 0) + 1);
    if (!options.all || report.verdict !== 'same') shown.push(report);
  }
  if (counts.size === 0) {
    console.log(dim(`no ${options.scope} runs`));
    return EXIT.ok;
  }
  if (shown.length > 0) console.log(table(['RUN', 'AGENT', 'STATUS', 'VERDICT', 'WHY'], shown.map(rowOf)));
  const summary = Object.entries(VERDICTS).flatMap(([verdict, word]) =>
    counts.has(verdict) ? [`${counts.get(verdict)} ${word}`] : [],
  );
  console.log(dim(summary.join(', ')));
  return shown.every(({ verdict }) => verdict === 'same') ? EXIT.ok : EXIT.failed;
}

/** With `all`, page by page until none is left. */
async function* reportsOf(dir: string, { url, scope, limit, all, run }: PreflightOptions): AsyncGenerator<Report> {
  const api = createApi(url);
  const which = run ? { runs: run } : { scope, limit };
  let { bundle }: { bundle: unknown } = await readBundle(dir);
  for (let before: string | null = null; ; ) {
    const body = { bundle, ...which, ...(before === null ? {} : { before }) };
    const page: Page = await api.send<Page>('POST', '/v1/preflight', body, PREFLIGHT_TIMEOUT_MS);
    yield* page.data;
    before = page.next ?? null;
    if (!all || run || before === null) return;
    // It is stored by now.
    bundle = page.bundle;
  }
}

function rowOf({ run, agent, status, verdict, step, reason }: Report): string[] {
  const why = [step === undefined ? '' : `at step ${step}:`, oneLine(safe(reason ?? ''), REASON_CHARS_MAX)];
  return [run, agent, status, verdict, why.filter(Boolean).join(' ')];
}
