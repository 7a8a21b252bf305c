/** `tutti status`: is it there, is it well, what is in it. */
import { TuttiError } from '@tutti/contracts';
import { type Api, createApi } from '../client/api.ts';
import { EXIT } from '../report.ts';
import { bold, dim, green, red, yellow } from '../style.ts';

const COUNTED_MAX = 200;

interface Readiness {
  status: string;
  checks: Record<string, { ok: boolean; detail?: string }>;
}

export async function statusCommand(options: { url?: string }): Promise<number> {
  const api = createApi(options.url);
  const { status, checks } = await readiness(api);
  console.log(`${bold(api.url)}  ${status === 'ok' ? green('ready') : red(status)}`);
  for (const [name, check] of Object.entries(checks))
    console.log(`  ${check.ok ? green('✓') : red('✗')} ${name}${check.detail ? dim(`  ${check.detail}`) : ''}`);
  if (status !== 'ok') return EXIT.failed;
  await showContents(api);
  return EXIT.ok;
}

/** 503 is an answer too, with the same body. */
async function readiness(api: Api): Promise<Readiness> {
  let response: Response;
  try {
    response = await fetch(`${api.url}/readyz`);
  } catch {
    // says what to do about it
    return api.get('/readyz');
  }
  const body = (await response.json().catch(() => undefined)) as Readiness | undefined;
  if (body?.checks) return body;
  throw new TuttiError('internal', `what answers at ${api.url} is no Tutti`);
}

async function showContents(api: Api): Promise<void> {
  const { data: agents } = await api.get<{ data: { name: string; description: string }[] }>('/v1/agents');
  for (const { name, description } of agents) console.log(`  agent ${bold(name)}  ${dim(description)}`);
  const open = await count(api, '/v1/approvals?status=pending&limit=200');
  if (open) console.log(yellow(`  ${open} waiting for approval: npx tutti approvals`));
  const asking = await count(api, '/v1/runs?status=waiting&limit=200', (run) => run.waiting_for === 'input');
  if (asking) console.log(yellow(`  ${asking} waiting for an answer: npx tutti runs --status waiting`));
  const running = await count(api, '/v1/runs?status=running&limit=200');
  if (running) console.log(`  ${running} running`);
}

async function count(
  api: Api,
  path: string,
  counts: (one: { waiting_for?: string | null }) => boolean = () => true,
): Promise<string> {
  const { data } = await api.get<{ data: { waiting_for?: string | null }[] }>(path);
  const found = data.filter(counts).length;
  if (found === 0) return '';
  return data.length >= COUNTED_MAX ? `${found} or more` : String(found);
}
