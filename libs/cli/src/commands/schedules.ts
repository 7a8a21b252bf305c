/** `tutti schedules`: runs that start by themselves. */
import { oneLine } from '../chat/format.ts';
import { createApi } from '../client/api.ts';
import { EXIT } from '../report.ts';
import { dim, green } from '../style.ts';
import { table } from '../table.ts';

const INPUT_CHARS_MAX = 50;

interface Schedule {
  name: string;
  agent: string;
  input: string;
  cron?: string;
  timeZone?: string;
  at?: string;
  paused: boolean;
  next: string[];
  last: { at: string; run: string | null; reason: string | null } | null;
}

export async function listSchedules(options: { url?: string }): Promise<number> {
  const { data } = await createApi(options.url).get<{ data: Schedule[] }>('/v1/schedules');
  if (data.length === 0) console.log(dim('no schedules'));
  else console.log(table(['NAME', 'WHEN', 'NEXT', 'LAST', 'AGENT', 'GOAL'], data.map(rowOf)));
  return EXIT.ok;
}

function rowOf({ name, agent, input, cron, timeZone, at, paused, next, last }: Schedule): string[] {
  const when = cron ? `${cron} ${timeZone}` : `once ${at}`;
  const lately = last ? (last.run ?? `none: ${last.reason}`) : '';
  return [name, when, paused ? 'paused' : (next[0] ?? ''), lately, agent, oneLine(input, INPUT_CHARS_MAX)];
}

export interface SetScheduleOptions {
  url?: string;
  cron?: string;
  at?: string;
  zone?: string;
  session?: string;
  missed?: string;
  overlap?: string;
  paused?: boolean;
}

export async function setSchedule(
  name: string,
  agent: string,
  goal: string,
  options: SetScheduleOptions,
): Promise<number> {
  const { cron, at, zone, session, missed, overlap, paused } = options;
  const body = {
    agent,
    input: goal,
    ...(cron ? { cron } : {}),
    ...(at ? { at } : {}),
    ...(zone ? { timeZone: zone } : {}),
    ...(session ? { session } : {}),
    ...(missed ? { missed } : {}),
    ...(overlap ? { overlap } : {}),
    ...(paused ? { paused } : {}),
  };
  const set = await createApi(options.url).send<Schedule>('PUT', `/v1/schedules/${encodeURIComponent(name)}`, body);
  console.log(`${green('set:')} ${name}`);
  for (const tick of set.next) console.log(dim(`  ${tick}`));
  return EXIT.ok;
}

export async function removeSchedule(name: string, options: { url?: string }): Promise<number> {
  await createApi(options.url).send('DELETE', `/v1/schedules/${encodeURIComponent(name)}`);
  console.log(`removed: ${name}`);
  return EXIT.ok;
}
