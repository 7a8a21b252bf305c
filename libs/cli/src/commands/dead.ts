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
}

export async function listDead(options: { url?: string }): Promise<number> {
  const { data } = await createApi(options.url).get<{ data: Letter[] }>('/v1/dead-letters');
  if (data.length === 0) console.log(dim('no dead letters'));
  else console.log(table(['ID', 'AT', 'SERVICE', 'KIND', 'RUN', 'REASON'], data.map(rowOf)));
  return EXIT.ok;
}

function rowOf({ id, at, service, kind, run, reason }: Letter): string[] {
  return [id, at, service, kind, run ?? '', oneLine(safe(reason), REASON_CHARS_MAX)];
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
