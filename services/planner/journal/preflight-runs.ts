/**
 * Tries a bundle on runs: those that are named, or what waits now, or what has run lately. One run after the other, in
 * slices, for partitions live in this process. Nothing is sent but questions: journals, tools, bundles. A run that cannot
 * be judged is reported so, and does not keep the others from it.
 */
import { type Bundle, canonicalJson, isEnd, type PreflightReport, type RunEntry, TuttiError } from '@tutti/contracts';
import type { Handler, RequestContext, ServiceContext } from '@tutti/runtime';
import type { PlannerConfig } from '../config.ts';
import { preflightSteps, type Verdict } from '../core/preflight.ts';
import { Toolsets } from './preflight-tools.ts';
import type { JournalReader } from './reader.ts';

export const PREFLIGHT_LIMITS = {
  listTimeoutMs: 10_000,
  /** Deciding in one go, before others may go on. */
  sliceMs: 10,
  /** Deciding one run, without the pauses. */
  runMs: 10_000,
  /** What is kept back of the time that whoever asked waits, to answer with what there is by then. */
  reserveMs: 1_000,
} as const;

type Context = Pick<ServiceContext<PlannerConfig>, 'caller' | 'bundles' | 'clock' | 'log'>;

export function preflightHandler(context: Context, reader: JournalReader): Handler<'preflight'> {
  return async ({ bundle: hash, runs, ...which }, request) => {
    const { tenant } = request.item;
    const after = await context.bundles.get(hash);
    const ids = runs ?? (await chosen(context, tenant, which));
    const trial = { tenant, hash, after, toolsets: new Toolsets(context.caller, reader, tenant) };
    const reports: PreflightReport[] = [];
    for (const run of new Set(ids)) {
      // Those that are left are for the next request.
      if (!runs && reports.length > 0 && !hasTime(context, request)) break;
      reports.push(await report(context, reader, trial, run, request));
    }
    return { reports, next: runs ? null : (reports.at(-1)?.run ?? null) };
  };
}

function hasTime({ clock }: Context, { item }: RequestContext): boolean {
  return item.deadlineAt - clock.now() >= PREFLIGHT_LIMITS.reserveMs;
}

async function chosen(
  { caller }: Context,
  tenant: string,
  { scope, limit, before }: { scope: 'waiting' | 'recent'; limit: number; before?: string | undefined },
): Promise<string[]> {
  const filter = scope === 'waiting' ? { status: 'waiting' as const } : {};
  const older = before === undefined ? {} : { before };
  const body = { op: 'runs' as const, children: true, limit, ...filter, ...older };
  const result = await caller.call('read', body, { tenant, timeoutMs: PREFLIGHT_LIMITS.listTimeoutMs });
  return result.op === 'runs' ? result.runs.map((run) => run.id) : [];
}

interface Trial {
  tenant: string;
  hash: string;
  after: Bundle;
  toolsets: Toolsets;
}

async function report(
  context: Context,
  reader: JournalReader,
  trial: Trial,
  run: string,
  request: RequestContext,
): Promise<PreflightReport> {
  const about = { run, agent: '', status: '' };
  try {
    if (request.signal.aborted) throw new TuttiError('cancelled', 'the preflight was cancelled');
    if (!hasTime(context, request)) throw new TuttiError('timeout', 'there was no time left for it');
    const entries = await reader.read(trial.tenant, run);
    about.agent = (entries[0] as Extract<RunEntry, { type: 'run.accepted' }>).start.agent;
    about.status = statusOf(entries);
    return { ...about, ...(await judge(context, trial, entries)) };
  } catch (error) {
    if (error instanceof TuttiError && error.code === 'cancelled') throw error;
    if (!(error instanceof TuttiError)) context.log.warn({ err: error, run }, 'a preflight of a run failed');
    return { ...about, verdict: 'unreadable', reason: (error as Error).message };
  }
}

function statusOf(entries: RunEntry[]): string {
  const last = entries.at(-1)!;
  return isEnd(last) ? last.type.replace('run.', '') : 'under way';
}

type Judgement = Pick<PreflightReport, 'verdict' | 'step' | 'reason'>;

async function judge(context: Context, { hash, after, toolsets }: Trial, entries: RunEntry[]): Promise<Judgement> {
  const [accepted] = entries as [Extract<RunEntry, { type: 'run.accepted' }>];
  const { bundle, agent } = accepted.start;
  const before = await context.bundles.get(bundle);
  const { known, exact } = await toolsets.named(entries, bundle, agent);
  const tools = await toolsets.under(hash, after, agent);
  const verdict = await decide(context, entries, { before, after, afterHash: hash, toolsets: known, tools });
  if (verdict.verdict === 'same') return { verdict: 'same', ...policyNote(entries, before, after) };
  if (verdict.by === 'planner' && !exact)
    return {
      verdict: 'unreadable',
      reason: 'its agent has other tools by now, and those of then are not known any more',
    };
  return { verdict: 'diverges', step: verdict.step, reason: verdict.reason };
}

/** In slices, with a pause for everybody else in between. */
async function decide(
  { clock }: Context,
  entries: RunEntry[],
  world: Parameters<typeof preflightSteps>[1],
): Promise<Verdict> {
  const steps = preflightSteps(entries, world);
  let spentMs = 0;
  for (;;) {
    const began = clock.monotonic();
    do {
      const step = steps.next();
      if (step.done) return step.value;
    } while (clock.monotonic() - began < PREFLIGHT_LIMITS.sliceMs);
    spentMs += clock.monotonic() - began;
    if (spentMs > PREFLIGHT_LIMITS.runMs)
      throw new TuttiError('timeout', `it takes longer than ${PREFLIGHT_LIMITS.runMs} ms to decide it again`);
    await new Promise<void>((resolve) => clock.soon(resolve));
  }
}

/** What policies say of a call is not in its request. */
function policyNote(entries: RunEntry[], before: Bundle, after: Bundle): { reason?: string } {
  const calls = entries.some((entry) => entry.type === 'step.requested' && entry.step.kind === 'execute');
  if (!calls || canonicalJson(before.policies) === canonicalJson(after.policies)) return {};
  return { reason: 'the policies differ; what they say of its calls was not tried' };
}
