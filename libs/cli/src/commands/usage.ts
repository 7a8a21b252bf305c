/** `tutti usage`: what was used, and what budgets stand at. `tutti prompt`: a prompt as it renders. */
import { type BudgetStatus, PromptValue, type RenderResult, TuttiError, type UsageRow } from '@tutti/contracts';
import { safe } from '../chat/format.ts';
import { createApi } from '../client/api.ts';
import { EXIT } from '../report.ts';
import { bold, dim } from '../style.ts';
import { table } from '../table.ts';

const DAY_MS = 86_400_000;

export interface UsageOptions {
  url?: string;
  session?: string;
  run?: string;
  days: number;
  json?: boolean;
}

export async function usageCommand(options: UsageOptions): Promise<number> {
  const now = Date.now();
  const query = new URLSearchParams({ from: day(now - (options.days - 1) * DAY_MS), to: day(now) });
  if (options.session) query.set('session', options.session);
  if (options.run) query.set('run', options.run);
  const usage = await createApi(options.url).get<{ budgets: BudgetStatus[]; data: UsageRow[] }>(`/v1/usage?${query}`);
  if (options.json) {
    console.log(JSON.stringify(usage, null, 2));
    return EXIT.ok;
  }
  if (usage.budgets.length > 0) {
    const header = ['BUDGET', 'OF', 'WINDOW', 'SPENT', 'HELD', 'LIMIT'];
    console.log(table(header, usage.budgets.map(budgetRow)));
  }
  if (usage.data.length === 0) console.log(dim('nothing was used'));
  else
    console.log(
      table(['DAY', 'AGENT', 'MODEL', 'CALLS', 'CACHED', 'TOKENS IN', 'OUT', 'COST'], usage.data.map(usageRow)),
    );
  return EXIT.ok;
}

function budgetRow({ budget, scope, of, window, spent, held, limit }: BudgetStatus): string[] {
  const parts = (usd: number, tokens: number, requests: number) =>
    [
      limit.usd === undefined ? '' : dollars(usd),
      limit.tokens === undefined ? '' : `${tokens} tokens`,
      limit.requests === undefined ? '' : `${requests} requests`,
    ]
      .filter(Boolean)
      .join(', ');
  return [
    budget,
    of === null ? scope : `${scope} ${safe(of)}`,
    window,
    parts(spent.costUsd, spent.tokens, spent.requests),
    parts(held.costUsd, held.tokens, held.requests),
    parts(limit.usd ?? 0, limit.tokens ?? 0, limit.requests ?? 0),
  ];
}

function usageRow({
  day: date,
  agent,
  model,
  requests,
  failed,
  cached,
  inputTokens,
  outputTokens,
  costUsd,
}: UsageRow): string[] {
  const calls = failed > 0 ? `${requests} (${failed} failed)` : String(requests);
  return [date, agent, safe(model), calls, String(cached), String(inputTokens), String(outputTokens), dollars(costUsd)];
}

/** Cents where there are any, more digits below. */
function dollars(usd: number): string {
  return usd === 0 || usd >= 0.1 ? `$${usd.toFixed(2)}` : `$${usd.toFixed(6)}`;
}

function day(at: number): string {
  return new Date(at).toISOString().slice(0, 10);
}

export interface PromptOptions {
  url?: string;
  value: string[];
  locale?: string;
}

export async function promptCommand(name: string, options: PromptOptions): Promise<number> {
  const body = { values: valuesOf(options.value), ...(options.locale ? { locale: options.locale } : {}) };
  const rendered = await createApi(options.url).send<RenderResult>(
    'POST',
    `/v1/prompts/${encodeURIComponent(name)}/render`,
    body,
  );
  console.log(safe(rendered.text));
  for (const { name: data, from, text } of rendered.data)
    console.log(dim(`\n${data} (data, from the ${from}): ${safe(text)}`));
  const language = rendered.locale === null ? '' : `, ${rendered.locale}`;
  console.log(
    dim(
      `\n${bold(name)} version ${rendered.version}${language}, ${rendered.tokens} tokens, ${rendered.hash.slice(0, 12)}`,
    ),
  );
  return EXIT.ok;
}

/** `name=value`: JSON where it is JSON of a kind that a placeholder takes, else the text itself. */
function valuesOf(pairs: string[]): Record<string, PromptValue> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      if (at < 1) throw new TuttiError('invalid_request', `"${pair}" is not name=value`, { details: 'usage' });
      return [pair.slice(0, at), promptValue(pair.slice(at + 1))];
    }),
  );
}

function promptValue(text: string): PromptValue {
  try {
    const parsed = PromptValue.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : text;
  } catch {
    return text;
  }
}
