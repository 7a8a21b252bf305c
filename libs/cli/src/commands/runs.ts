/** `tutti runs [ID]`: what has run, and one run with its steps. */
import { z } from 'zod';
import { citationLines, duration, oneLine, safe, usageText } from '../chat/format.ts';
import { RunView } from '../chat/run-view.ts';
import { type Api, createApi } from '../client/api.ts';
import { Run, toShownEvent } from '../client/shapes.ts';
import { EXIT } from '../report.ts';
import { bold, dim, red, yellow } from '../style.ts';
import { table } from '../table.ts';
import { offerText } from './undo.ts';

const INPUT_CHARS_MAX = 60;
const JOURNAL_PAGE = 500;
const Listing = z.object({ data: z.array(Run) });

export interface RunsOptions {
  url?: string;
  session?: string;
  status?: string;
  limit: number;
}

export async function runsCommand(id: string | undefined, options: RunsOptions): Promise<number> {
  const api = createApi(options.url);
  if (id) return showRun(api, id);
  const query = new URLSearchParams({ limit: String(options.limit) });
  if (options.session) query.set('session', options.session);
  if (options.status) query.set('status', options.status);
  const { data } = Listing.parse(await api.get(`/v1/runs?${query}`));
  if (data.length === 0) console.log(dim('no runs'));
  else console.log(table(['RUN', 'STATUS', 'AGENT', 'TOOK', 'GOAL'], data.map(rowOf)));
  return EXIT.ok;
}

function rowOf(run: Run): string[] {
  const took = run.ended_at ? duration(Date.parse(run.ended_at) - Date.parse(run.created_at)) : '';
  return [run.id, run.status, run.agent, took, oneLine(run.input, INPUT_CHARS_MAX)];
}

async function showRun(api: Api, id: string): Promise<number> {
  const run = Run.parse(await api.get(`/v1/runs/${encodeURIComponent(id)}`));
  console.log(`${bold(run.id)}  ${statusText(run.status)}  ${dim(`agent ${run.agent}, session ${run.session}`)}`);
  console.log(`> ${safe(run.input)}`);
  await showJournal(api, run.id);
  if (run.output) console.log(safe(run.output));
  if (run.error) console.log(red(safe(run.error.message)));
  if (run.question) {
    console.log(`${yellow('?')} ${safe(run.question.text)}`);
    console.log(dim(`    npx tutti input ${run.id} TEXT --question ${run.question.id}`));
  }
  for (const offer of run.undo ?? []) console.log(offerText(offer));
  if (run.undo?.length) console.log(dim(`    npx tutti undo ${run.id}`));
  for (const line of citationLines(run.citations)) console.log(line);
  console.log(dim(`  ${usageText(run.usage)}`));
  return EXIT.ok;
}

function statusText(status: string): string {
  if (status === 'failed' || status === 'cancelled') return red(status);
  return status === 'completed' ? status : yellow(status);
}

/** Its end is shown by the run itself. */
async function showJournal(api: Api, id: string): Promise<void> {
  const view = new RunView(id, (text) => void process.stdout.write(text));
  for (let after = 0; ; ) {
    const { data } = await api.get<{ data: ({ type: string; n: number } & Record<string, unknown>)[] }>(
      `/v1/runs/${id}/journal?after=${after}&limit=${JOURNAL_PAGE}`,
    );
    for (const entry of data) {
      const shown = entry.type.startsWith('run.') ? undefined : toShownEvent(entry.type, entry);
      if (shown) view.show(shown);
    }
    if (data.length < JOURNAL_PAGE) return;
    after = data.at(-1)!.n;
  }
}
