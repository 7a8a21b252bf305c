/** `tutti stop`, `tutti release` and `tutti switches`: the kill switch. */
import { oneLine, safe } from '../chat/format.ts';
import { createApi } from '../client/api.ts';
import { EXIT } from '../report.ts';
import { dim, green, red } from '../style.ts';
import { table } from '../table.ts';

const REASON_CHARS_MAX = 80;

interface Switch {
  kind: string;
  name: string | null;
  stopped: boolean;
  by: string;
  at: string;
  reason: string;
  decisions: { stopped: boolean; by: string; at: string; reason: string }[];
}
export interface SwitchOptions {
  url?: string;
  reason?: string;
}

export async function setSwitch(
  kind: string,
  name: string | undefined,
  stopped: boolean,
  options: SwitchOptions,
): Promise<number> {
  const body = { kind, ...(name === undefined ? {} : { name }), stopped, reason: options.reason ?? '' };
  const set = await createApi(options.url).send<Switch>('PUT', '/v1/switches', body);
  const what = nameOf(set);
  console.log(set.stopped ? red(`stopped: ${what}`) : green(`released: ${what}`));
  if (set.stopped)
    console.log(dim(`let it go on with: npx tutti release ${set.kind}${set.name ? ` ${set.name}` : ''}`));
  return EXIT.ok;
}

export async function listSwitches({ url, all }: { url?: string; all?: boolean }): Promise<number> {
  const { data } = await createApi(url).get<{ data: Switch[] }>('/v1/switches');
  const shown = data.filter(({ stopped }) => all || stopped);
  if (shown.length === 0) console.log(dim(all ? 'nothing was ever stopped' : 'nothing is stopped'));
  else if (all)
    console.log(
      table(
        ['WHAT', 'DECISION', 'BY', 'AT', 'REASON'],
        shown.flatMap((one) => one.decisions.map((decision) => rowOf(one, decision))),
      ),
    );
  else
    console.log(
      table(
        ['WHAT', 'DECISION', 'BY', 'AT', 'REASON'],
        shown.map((one) => rowOf(one, one)),
      ),
    );
  return EXIT.ok;
}

function nameOf({ kind, name }: Switch): string {
  if (kind === 'all') return 'everything';
  return kind === 'tenant' ? 'the tenant' : `the ${kind} ${safe(name ?? '')}`;
}

function rowOf(one: Switch, { stopped, by, at, reason }: Switch['decisions'][number]): string[] {
  return [nameOf(one), stopped ? 'stopped' : 'released', safe(by), at, oneLine(safe(reason), REASON_CHARS_MAX)];
}
