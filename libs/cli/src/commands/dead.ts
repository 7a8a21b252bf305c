/** `tutti dead`: what could not be taken in or kept failing. */
import { oneLine, safe } from '../chat/format.ts';
import { createApi } from '../client/api.ts';
import { EXIT } from '../report.ts';
import { dim, green } from '../style.ts';
import { table } from '../table.ts';

const REASON_CHARS_MAX = 90;
const path = (id: string) => `/v1/dead-letters/${encodeURIComponent(id)}`;

interface Letter {
  id: string;
  service: string;
  kind: string;
  at: string;
  run: string | null;
  reason: string;
  resent: { at: string; run: string | null } | null;
}

export interface DeadOptions {
  url?: string;
  service?: string;
  run?: string;
  before?: string;
  limit: number;
}

export async function listDead({ url, service, run, before, limit }: DeadOptions): Promise<number> {
  const query = new URLSearchParams({ limit: String(limit) });
  for (const [name, value] of Object.entries({ service, run, before })) if (value) query.set(name, value);
  const { data, next } = await createApi(url).get<{ data: Letter[]; next: string | null }>(`/v1/dead-letters?${query}`);
  if (data.length === 0) console.log(dim('no dead letters'));
  else console.log(table(['ID', 'AT', 'SERVICE', 'KIND', 'RUN', 'SENT AGAIN', 'REASON'], data.map(rowOf)));
  if (next) console.log(dim(`there may be more: npx tutti dead ls --before ${next}`));
  return EXIT.ok;
}

function rowOf({ id, at, service, kind, run, reason, resent }: Letter): string[] {
  return [id, at, service, kind, run ?? '', resent?.run ?? resent?.at ?? '', oneLine(safe(reason), REASON_CHARS_MAX)];
}

export async function showDead(id: string, options: { url?: string }): Promise<number> {
  console.log(JSON.stringify(await createApi(options.url).get(path(id)), null, 2));
  return EXIT.ok;
}

export async function resendDead(id: string, options: { url?: string }): Promise<number> {
  const { resent } = await createApi(options.url).send<{ resent: { as: string; run?: string } }>(
    'POST',
    `${path(id)}/resend`,
  );
  console.log(`${green('sent again')}${resent.run ? ` as ${resent.run}` : ''}`);
  return EXIT.ok;
}

export async function removeDead(id: string, options: { url?: string }): Promise<number> {
  await createApi(options.url).send('DELETE', path(id));
  console.log(`removed: ${id}`);
  return EXIT.ok;
}
