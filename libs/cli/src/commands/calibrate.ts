/** `tutti calibrate`: weights and thresholds of cost routing, from labelled asks, from journals, or from Tutti's own set. */
import { readFile, writeFile } from 'node:fs/promises';
import { type Bundle, type ModelTier, ModelTier as Tiers, TuttiError } from '@tutti/contracts';
import {
  calibrate,
  drawCurve,
  Judgement,
  type LabelledRow,
  madeSet,
  PRICES,
  type Row,
  readRows,
  reportOf,
  rowOf,
  rowsOfJournal,
  SEED,
  snippetOf,
  TARGET,
  TARGET_OF_TWO,
  type Target,
  type TierPrices,
  Unfit,
} from '@tutti/router/calibration';
import { z } from 'zod';
import { readBundle } from '../bundle/remote-documents.ts';
import { type Api, createApi } from '../client/api.ts';
import { EXIT } from '../report.ts';
import { dim, plural } from '../style.ts';
import { labelAsks, modelsByTier } from './label-asks.ts';

export interface CalibrateOptions {
  url?: string;
  journal?: boolean;
  runs?: number;
  ask?: number;
  judged?: string;
  bundle?: string;
  quality?: number;
  budget?: number;
  seed?: number;
  svg?: string;
  rows?: string;
}

/** Where asks come from: the rows, what is to be said of them, and as they are written out. */
interface Source {
  rows: Row[];
  about: string;
  lines: z.input<typeof LabelledRow>[];
}

export async function calibrateCommand(files: string[], options: CalibrateOptions): Promise<number> {
  const { seed = SEED } = options;
  const bundle = options.bundle === undefined ? undefined : (await readBundle(options.bundle)).bundle;
  const source = await sourceOf(files, options, bundle, seed);
  if (options.rows) await write(options.rows, source.lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  const target = targetOf(options, source.rows);
  const found = fitted(() => calibrate(source.rows, { seed, target, prices: pricesOf(bundle) }));
  console.log(source.about);
  console.log(reportOf(found, target));
  const title = 'Cost routing: what it costs, and how often it is right';
  const note = found.folds.by === 'group' ? `${source.about}; kinds that were not fitted to` : source.about;
  if (options.svg) await write(options.svg, drawCurve(found, title, note));
  console.log(dim("\nfor the bundle's models.yaml:"));
  console.log(snippetOf(found));
  return EXIT.ok;
}

function sourceOf(
  files: string[],
  options: CalibrateOptions,
  bundle: Bundle | undefined,
  seed: number,
): Promise<Source> | Source {
  if (options.ask !== undefined) return fromModels(files, options.ask, options, bundle, seed);
  if (options.journal || options.runs !== undefined) return fromJournals(files, options, bundle);
  if (options.judged) throw usage('--judged is about journals: say --journal or --runs too');
  if (files.length > 0) return fromFiles(files);
  const lines = madeSet(seed);
  const kinds = new Set(lines.map(({ group }) => group)).size;
  return {
    lines,
    rows: lines.map((line) => rowOf(line, line.id!)),
    about: `${lines.length} asks of ${kinds} kinds that Tutti makes itself (seed ${seed}); the models are simulated`,
  };
}

/** Labels of real models: those of the bundle, through a running Tutti that has it. */
async function fromModels(
  files: string[],
  ofKind: number,
  { url, journal, runs }: CalibrateOptions,
  bundle: Bundle | undefined,
  seed: number,
): Promise<Source> {
  if (files.length > 0 || journal || runs !== undefined)
    throw usage('--ask makes its own asks: it goes with no file and no runs');
  if (!bundle) throw usage('--ask needs --bundle: it says which models there are');
  const models = modelsByTier(bundle);
  if (models.size < 2) throw usage('the bundle has models of fewer than two tiers: there is nothing to route between');
  const lines = await labelAsks(createApi(url), models, seed, ofKind, (done, of) => {
    if (done % PROGRESS_EVERY === 0 || done === of) console.error(dim(`${done} of ${of} asked`));
  });
  const names = [...models].map(([tier, model]) => `${model} (${tier})`).join(', ');
  const about = `${plural(lines.length, 'ask')} that Tutti makes itself (seed ${seed}), labelled by ${names}`;
  return { lines, rows: lines.map((line) => rowOf(line, line.id!)), about };
}

const PROGRESS_EVERY = 50;

async function fromFiles(files: string[]): Promise<Source> {
  const read = await Promise.all(files.map(async (file) => readRows(await textOf(file), file)));
  complain(read.flatMap(({ problems }) => problems));
  const rows = read.flatMap((one) => one.rows);
  const lines = rows.map(({ id, group, features, right, tokens }) => ({ id, group, features, right, tokens }));
  return { rows, lines, about: `${plural(rows.length, 'labelled ask')} from ${files.join(', ')}` };
}

async function fromJournals(files: string[], options: CalibrateOptions, bundle: Bundle | undefined): Promise<Source> {
  if (!bundle) throw usage('journals name models: --bundle says what tier each is of');
  if (options.runs !== undefined && files.length > 0) throw usage('either files, or --runs of a Tutti');
  const texts =
    options.runs === undefined
      ? await Promise.all(files.map(async (file) => ({ file, text: await textOf(file) })))
      : await journalsOf(createApi(options.url), options.runs);
  if (texts.length === 0) throw usage('--journal needs a file, as `tutti journal RUN --jsonl --children` prints it');
  const judgements = options.judged === undefined ? [] : judgementsIn(await textOf(options.judged), options.judged);
  const tierOf = (model: string): ModelTier | undefined => bundle.models?.[model]?.tier;
  const traffic = texts.map(({ file, text }) => rowsOfJournal(text, file, tierOf, judgements));
  complain(traffic.flatMap(({ problems }) => problems));
  const lines = traffic.flatMap(({ rows }) => rows);
  const passed = new Map<string, number>();
  for (const one of traffic)
    for (const [why, count] of Object.entries(one.passed)) passed.set(why, (passed.get(why) ?? 0) + count);
  const others = [...passed].map(([why, count]) => `; ${count} ${why}`).join('');
  const about = `${plural(lines.length, 'call')} of ${plural(texts.length, 'journal')} that \`auto\` chose a model for${others}`;
  return { lines, rows: lines.map((line) => rowOf(line, line.id!)), about };
}

const RUNS_PAGE = 200;
const Listing = z.object({ data: z.array(z.object({ id: z.string() })), has_more: z.boolean() });

/** Of the newest runs that people started, each with those below it. */
async function journalsOf(api: Api, count: number): Promise<{ file: string; text: string }[]> {
  const texts: { file: string; text: string }[] = [];
  for (let before: string | undefined; texts.length < count; ) {
    const query = new URLSearchParams({ limit: String(Math.min(RUNS_PAGE, count - texts.length)) });
    if (before) query.set('before', before);
    const page = Listing.parse(await api.get(`/v1/runs?${query}`));
    for (const { id } of page.data) {
      const path = `/v1/runs/${encodeURIComponent(id)}/journal?format=jsonl&children=true`;
      const response = await api.open(path, {}, new AbortController().signal);
      texts.push({ file: id, text: await response.text() });
    }
    before = page.data.at(-1)?.id;
    if (!page.has_more || before === undefined) break;
  }
  if (texts.length === 0) throw new TuttiError('not_found', 'there are no runs yet');
  return texts;
}

function judgementsIn(text: string, file: string): Judgement[] {
  const problems: string[] = [];
  const judgements = text.split('\n').flatMap((line, index) => {
    if (line.trim() === '') return [];
    try {
      return [Judgement.parse(JSON.parse(line))];
    } catch (error) {
      const said = error instanceof z.ZodError ? error.issues[0]!.message : (error as Error).message;
      problems.push(`${file}:${index + 1}: ${said}`);
      return [];
    }
  });
  complain(problems);
  return judgements;
}

function targetOf({ quality, budget }: CalibrateOptions, rows: readonly Row[]): Target {
  if (budget !== undefined) return { budget };
  if (quality !== undefined) return { quality };
  return rows.some(({ right }) => right.medium !== undefined && right.small !== undefined) ? TARGET : TARGET_OF_TWO;
}

/** The cheapest model of each tier, by input and output alike; what models usually cost where the bundle has none of a tier. */
function pricesOf(bundle: Bundle | undefined): TierPrices {
  const prices = { ...PRICES };
  for (const tier of Tiers.options) {
    const own = Object.values(bundle?.models ?? {}).filter((model) => model.tier === tier);
    const [cheapest] = own.map(({ price }) => price).sort((a, b) => a.input + a.output - (b.input + b.output));
    if (cheapest) prices[tier] = { input: cheapest.input, output: cheapest.output };
  }
  return prices;
}

function fitted<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof Unfit) throw new TuttiError('invalid_request', error.message, { cause: error });
    throw error;
  }
}

function complain(problems: readonly string[]): void {
  if (problems.length > 0) throw new TuttiError('invalid_request', problems.join('\n'));
}

function usage(message: string): TuttiError {
  return new TuttiError('invalid_request', message, { details: 'usage' });
}

async function textOf(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((cause: Error) => {
    throw new TuttiError('invalid_request', `cannot read ${file}: ${cause.message}`, { cause });
  });
}

async function write(file: string, text: string): Promise<void> {
  await writeFile(file, text).catch((cause: Error) => {
    throw new TuttiError('invalid_request', `cannot write ${file}: ${cause.message}`, { cause });
  });
}
