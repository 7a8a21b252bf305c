/** Runs cases against the real thing: a nats-server, the six services, HTTP from outside. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createLogger } from '@tutti/runtime';
import { startTestNats, until } from '@tutti/testkit';
import { createServiceGroup } from '../../libs/cli/src/up/services.ts';
import { client } from '../e2e/client.ts';
import { freePort, withoutModels } from '../e2e/stack.ts';
import { attacks } from './attacks.ts';
import { companyBundle } from './bundle.ts';
import type { Case } from './cases.ts';
import { looksWanted } from './human.ts';
import { judge, type Verdict } from './judge.ts';
import { legitimate } from './legitimate.ts';
import { type Model, startModel } from './model.ts';
import { type Outside, startOutside } from './outside.ts';
import { POISONED } from './poisoned.ts';

export interface SuiteOptions {
  /** Which cases; all where it is left out. */
  only?: (test: Case) => boolean;
  atOnce?: number;
  log?: (line: string) => void;
}

export interface Report {
  cases: number;
  verdicts: Verdict[];
  unauthorised: number;
  leaked: number;
  legitimate: { done: number; all: number };
  seconds: number;
}

type Api = ReturnType<typeof client>;

const AT_ONCE = 6;
const SETTLE_MS = 200;

export function allCases(): Case[] {
  return [...attacks(), ...legitimate()];
}

/** A part that has something of everything: of each family the first, the last and one between. */
export function sample(): (test: Case) => boolean {
  const families = Map.groupBy(allCases(), ({ family }) => family);
  const ids = new Set(
    [...families.values()]
      .flatMap((list) => [list[0]!, list[Math.floor(list.length / 2)]!, list.at(-1)!])
      .map(({ id }) => id),
  );
  return ({ id }) => ids.has(id);
}

export async function runSuite({
  only = () => true,
  atOnce = AT_ONCE,
  log = () => {},
}: SuiteOptions = {}): Promise<Report> {
  const startedAt = performance.now();
  const cases = allCases().filter(only);
  const nats = await startTestNats();
  const outside = await startOutside();
  const model = await startModel();
  const port = await freePort();
  const env = {
    ...withoutModels(process.env),
    NATS_URL: nats.url,
    TUTTI_PROVISION: 'true',
    TUTTI_DATA: `${nats.dataDir}/state`,
    TUTTI_PORT: String(port),
    TUTTI_LEASE_MS: '2000',
    // The world outside is on this machine.
    TUTTI_TOOLS_PRIVATE_NETWORKS: '127.0.0.1',
    OPENAI_BASE_URL: model.url,
    OPENAI_API_KEY: 'none',
    TUTTI_MODEL: 'obedient',
    // Else the router would keep secrets from it, and nothing behind would be tried.
    TUTTI_MODEL_LABELS: 'secret',
    TUTTI_OFFLINE_FALLBACK: 'false',
  };
  const services = await createServiceGroup(env, createLogger({}, { level: process.env.TUTTI_TEST_LOG ?? 'silent' }));
  try {
    await services.startAll(() => {});
    const url = `http://127.0.0.1:${port}`;
    const api = client(url);
    await until('the gateway to be ready', () => fetch(`${url}/readyz`).then(({ ok }) => ok));
    await api.call(
      'POST',
      '/v1/bundles',
      companyBundle(
        outside.url,
        POISONED.map(({ tool }) => tool),
      ),
    );
    await prepare(api, outside, cases);
    const outputs = new Map<string, string | null>();
    const waiting = [...cases];
    await Promise.all(
      Array.from({ length: atOnce }, async () => {
        for (let test = waiting.shift(); test; test = waiting.shift()) {
          outputs.set(test.id, await converse(api, test).catch((error: Error) => `broken: ${error.message}`));
          log(`${test.id} (${test.family})`);
        }
      }),
    );
    // What is still on its way has arrived by now.
    await sleep(SETTLE_MS);
    return report(cases, outside, outputs, model.obeyed, (performance.now() - startedAt) / 1_000);
  } finally {
    await services.stop();
    model.close();
    outside.close();
    await nats.stop();
  }
}

/** The world as the cases need it, and the documents where they can be found. */
async function prepare(api: Api, outside: Outside, cases: Case[]): Promise<void> {
  for (const { content } of cases) outside.put(content);
  const documents = cases.flatMap(({ id, documents = [] }) => documents.map((one) => ({ ...one, id })));
  for (const { id, collection, title, text } of documents)
    await api.call('PUT', `/v1/collections/${collection}/documents/${id}`, { title, text });
  for (const collection of new Set(documents.map((one) => one.collection))) {
    const wanted = documents.filter((one) => one.collection === collection).length;
    await until(`${collection} to be indexed`, async () => {
      const { data } = await api.call<{ data: unknown[] }>('GET', `/v1/collections/${collection}/documents`);
      return data.length >= wanted;
    });
  }
}

/** Says it all, one after the other, and decides what is asked meanwhile. The last answer. */
async function converse(api: Api, test: Case): Promise<string | null> {
  let output: string | null = null;
  for (const text of test.say) {
    const { id } = await api.start(text, `conversation-${test.id}`, test.agent);
    const decided = new Set<string>();
    for (;;) {
      const { approval, run } = await api.approvalOrEnd(id);
      if (run) {
        output = run.output;
        break;
      }
      if (decided.has(approval!.id)) {
        await sleep(20);
        continue;
      }
      decided.add(approval!.id);
      const asked = await api.call<Parameters<typeof looksWanted>[1]>('GET', `/v1/approvals/${approval!.id}`);
      await api.decide(approval!.id, looksWanted(test, asked) ? 'approve' : 'deny', 'by the human of this suite');
    }
  }
  return output;
}

function report(
  cases: Case[],
  outside: Outside,
  outputs: Map<string, string | null>,
  obeyed: Model['obeyed'],
  seconds: number,
): Report {
  const verdicts = cases.map((test) =>
    judge(test, outside.arrivals, outputs.get(test.id) ?? null, obeyed.get(test.id)),
  );
  const honest = verdicts.filter(({ kind }) => kind === 'legitimate');
  const count = (what: 'unauthorised' | 'leaked') => verdicts.filter((verdict) => verdict[what].length > 0).length;
  return {
    cases: cases.length,
    verdicts,
    unauthorised: count('unauthorised'),
    leaked: count('leaked'),
    legitimate: { done: honest.filter(({ missing }) => missing.length === 0).length, all: honest.length },
    seconds,
  };
}

export function summary({ cases, unauthorised, leaked, legitimate: { done, all } }: Report): string {
  return `cases ${cases}, unauthorised ${unauthorised}, leaked ${leaked}, legitimate ${done} of ${all}`;
}

export function isClean(made: Report): boolean {
  const { unauthorised, leaked, legitimate: honest } = made;
  return (
    unauthorised === 0 &&
    leaked === 0 &&
    honest.done === honest.all &&
    made.verdicts.every(({ missing }) => missing.length === 0)
  );
}
