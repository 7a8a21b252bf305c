/**
 * `npm run trace`: the trip's trace, read back from a real Jaeger and judged edge by edge: undisturbed, with its planner
 * killed twice, with its approval parked and every service started anew. `--picture FILE` draws the first; `--keep` leaves
 * Jaeger open until Ctrl-C. Without a Jaeger it says so loudly and ends with 0; with TUTTI_TRACE_REQUIRED=true with 1.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { ATTR } from '@tutti/runtime';
import { startStack } from '../e2e/stack.ts';
import { findJaeger, type Jaeger, startJaeger } from './jaeger.ts';
import { drawTrace } from './picture.ts';
import {
  faultsIn,
  parked,
  plannerKilled,
  SCENARIO_ENV,
  type Scenario,
  type Seen,
  undisturbed,
  warmUp,
} from './scenarios.ts';
import { treeOf } from './tree.ts';

const { values } = parseArgs({ options: { picture: { type: 'string' }, keep: { type: 'boolean' } } });
const say = (line: string) => void process.stdout.write(`${line}\n`);

async function findable(jaeger: Jaeger, { spans, traceId }: Seen): Promise<string[]> {
  const run = spans.find(({ name }) => name.startsWith('invoke_workflow '))!.attributes[ATTR.run];
  const found = await jaeger.find('tutti-planner', { [ATTR.run]: String(run) });
  return found.some((span) => span.traceId === traceId) ? [] : [`${run} cannot be found by its tag`];
}

function print(seen: Seen, problems: string[]): void {
  say(
    `${seen.name}: trace ${seen.traceId}, ${seen.spans.length} spans, ${seen.edges} edges, ${seen.overBus} over the bus, ${problems.length === 0 ? 'all as they should be' : 'WRONG'}`,
  );
  for (const problem of problems) say(`  ${problem}`);
}

async function check(jaeger: Jaeger): Promise<number> {
  const stack = await startStack({ ...SCENARIO_ENV, OTEL_EXPORTER_OTLP_ENDPOINT: jaeger.otlpUrl });
  let wrong = 0;
  try {
    await warmUp(stack);
    for (const scenario of [undisturbed, plannerKilled, parked] satisfies Scenario[]) {
      const seen = await scenario(stack, jaeger.trace);
      const problems = [...faultsIn(seen), ...(await findable(jaeger, seen))];
      wrong += problems.length;
      print(seen, problems);
      const stored = (await jaeger.trace(seen.traceId)).length;
      if (stored !== seen.spans.length) say(`  Jaeger shows ${stored}: some of them twice`);
      if (scenario !== undisturbed) continue;
      for (const line of outline(seen)) say(line);
      if (values.picture === undefined) continue;
      mkdirSync(dirname(values.picture), { recursive: true });
      const title = `Plan a business trip to Tokyo … and book the flights: ${seen.spans.length} spans, as Jaeger ${jaeger.version} has them`;
      writeFileSync(values.picture, drawTrace(seen.spans, title));
    }
    if (values.keep) await kept(jaeger);
  } finally {
    await stack.stop();
  }
  return wrong;
}

/** Names with how long they took, in the order in which they began. */
function outline(seen: Seen): string[] {
  const lines = (nodes: ReturnType<typeof treeOf>, depth: number): string[] =>
    nodes.flatMap(({ span, children }) => [
      `  ${'  '.repeat(depth)}${span.name}  ${Math.round(span.endedAt - span.startedAt)} ms`,
      ...lines(children, depth + 1),
    ]);
  return lines(treeOf(seen.spans), 0);
}

async function kept(jaeger: Jaeger): Promise<void> {
  say(`Jaeger is at ${jaeger.url}; Ctrl-C stops it`);
  await new Promise((resolve) => process.once('SIGINT', resolve));
}

const file = await findJaeger(say);
if (!file) {
  say('SKIPPED: there is no Jaeger here, so nothing was read back from one. Set JAEGER_BIN.');
  process.exit(process.env.TUTTI_TRACE_REQUIRED === 'true' ? 1 : 0);
}
const jaeger = await startJaeger(file);
try {
  const wrong = await check(jaeger);
  say(`Jaeger ${jaeger.version}: ${wrong} wrong`);
  process.exitCode = wrong === 0 ? 0 : 1;
} finally {
  await jaeger.stop();
}
