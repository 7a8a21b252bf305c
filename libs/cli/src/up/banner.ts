/** What `tutti up` says once everything runs. Pure but for the colours. */
import { bold, cyan, dim, plural, shortPath, yellow } from '../style.ts';

export interface Overview {
  url: string;
  bus: { url: string; version: string; own: boolean };
  bundle: { name: string; agents: string[]; dir: string };
  documents: { total: number; changed: number };
  helpers: { name: string; url: string }[];
  model: string;
  dataDir: string;
  logFile: string;
  traces: string | undefined;
  tookMs: number;
}

const EXAMPLES: Record<string, string> = {
  travel: 'Plan a business trip to Tokyo from 12 to 16 May 2027 and book the flights',
};
const LABEL_WIDTH = 9;
const OFFLINE = 'offline';

export function banner(overview: Overview): string {
  const { bundle, documents, bus } = overview;
  const changed = documents.changed ? `, ${documents.changed} new or changed` : '';
  const rows: [string, string, string][] = [
    ['Gateway', bold(overview.url), 'API'],
    ['Bus', bus.url, `nats-server ${bus.version}, ${bus.own ? 'our own' : 'from NATS_URL'}`],
    ['Bundle', bundle.name, `${shortPath(bundle.dir)}; ${plural(documents.total, 'document')}${changed}`],
    ...overview.helpers.map(({ name, url }): [string, string, string] => ['Server', url, name]),
    ['Model', overview.model === OFFLINE ? yellow(OFFLINE) : overview.model, modelNote(overview.model)],
    ['Data', shortPath(overview.dataDir), `log: ${shortPath(overview.logFile)}`],
    ['Traces', overview.traces ?? 'off', overview.traces ? '' : 'set OTEL_EXPORTER_OTLP_ENDPOINT to see them'],
  ];
  const widest = Math.max(...rows.map(([, value]) => plain(value).length));
  const lines = rows.map(([label, value, note]) => {
    const padding = ' '.repeat(Math.max(0, widest - plain(value).length));
    return `  ${dim(label.padEnd(LABEL_WIDTH))}${value}${note ? `${padding}  ${dim(note)}` : ''}`;
  });
  return [
    '',
    `  ${bold('Tutti is up.')} ${dim(`(${(overview.tookMs / 1_000).toFixed(1)} s)`)}`,
    '',
    ...lines,
    '',
    ...tryThis(overview),
    '',
  ].join('\n');
}

function modelNote(model: string): string {
  return model === OFFLINE
    ? 'built in; set OPENAI_API_KEY, or OPENAI_BASE_URL and TUTTI_MODEL, for another'
    : 'offline when it fails';
}

function tryThis({ url, bundle }: Overview): string[] {
  const agent = bundle.agents[0] ?? 'agent';
  const goal = EXAMPLES[agent] ?? 'What can you do?';
  const address = url === 'http://127.0.0.1:8080' ? '' : `TUTTI_URL=${url} `;
  return [
    `  ${dim('Try, in another terminal:')}`,
    `    ${cyan(`${address}npx tutti chat ${agent}`)}${dim(`     and say: ${goal}`)}`,
    `    ${cyan(`${address}npx tutti approvals`)}`,
    `    ${cyan(`curl ${url}/v1/chat/completions -H 'content-type: application/json' \\`)}`,
    `    ${cyan(`  -d '{"model":"${agent}","messages":[{"role":"user","content":"${goal}"}]}'`)}`,
    '',
    `  ${dim('Ctrl-C stops everything.')}`,
  ];
}

function plain(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what colours are
  return text.replaceAll(/\u001b\[\d+m/g, '');
}
