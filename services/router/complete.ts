/**
 * A call from end to end: prepare → (grade) → choose → policy → cached → work down the candidates → result. The stages are in
 * stages.ts, the tries in work-down.ts and attempt.ts; what decides is in core/. Invariant: nothing is sent to anybody, nor
 * an earlier answer given again, before policy has been asked.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { CompleteBody, CompleteResult } from '@tutti/contracts';
import type { Metrics, Telemetry } from '@tutti/runtime';
import type { z } from 'zod';
import type { Catalogues } from './catalogue.ts';
import { type Choice, choose, type Question } from './core/choose.ts';
import { dataLabelsOf } from './core/data-labels.ts';
import { type Ability, targetOf } from './core/model.ts';
import { roughTokens, roughTokensNeeded } from './core/rough-tokens.ts';
import { asksForDifficulty, type Difficulty, difficultyIn } from './difficulty-of-call.ts';
import type { ModelGate } from './policy.ts';
import { allFailed, goneError, type Route, resultOf, routeOf, unknownModel } from './results.ts';
import type { Ask, CallContext } from './stages.ts';
import { observeChats } from './tracing.ts';
import { type Progress, type WorkParts, workDown } from './work-down.ts';

export interface CompleterParts extends WorkParts {
  catalogues: Catalogues;
  /** May the offline model step in where the agent does not say? */
  fallback: boolean;
  /** Takes out the candidates that policy denies. */
  gate: ModelGate;
  telemetry: Telemetry;
  metrics?: Metrics;
}

export type Complete = (body: z.output<typeof CompleteBody>, call: CallContext) => Promise<CompleteResult>;

/** The result's promise rejects with TuttiError: `not_found` (no such model or bundle), `forbidden`, `model_failed`, `timeout`, `cancelled`, or what a stage says. */
export function createCompleter(parts: CompleterParts): Complete {
  const { stages } = parts;
  const begin = observeChats(parts.telemetry, parts.metrics);
  return async (body, call) => {
    const { catalogue, bundle } = await parts.catalogues.of(body.bundle);
    const agent = Object.hasOwn(bundle.agents, body.agent) ? bundle.agents[body.agent] : undefined;
    const asked: Ask = { body, call, bundle, agent, catalogue };
    const ask = (await stages.prepare?.(asked)) ?? asked;
    const { classifier } = catalogue.routing;
    if (classifier !== undefined && stages.grade && asksForDifficulty(ask))
      ask.graded = await stages.grade(ask, classifier);
    const { choice, route } = chosen(parts, ask);
    const trace = begin(ask, choice.candidates, route);
    const progress: Progress = {
      attempts: [],
      usage: { inputTokens: 0, outputTokens: 0 },
      costUsd: 0,
      failures: [],
      trace,
    };
    try {
      const work = () => answer(parts, ask, choice, route, progress);
      const result = await (stages.cached ? stages.cached(ask, work) : work());
      trace.answered(result, progress);
      return result;
    } catch (error) {
      trace.ended(error, progress.attempts.length);
      throw error;
    }
  };
}

/** Throws `not_found`, or `forbidden` where policy denies all that is left. */
function chosen(parts: CompleterParts, ask: Ask): { choice: Choice; route: Route } {
  const { catalogue } = ask;
  const difficulty = difficultyIn(ask);
  const question = questionOf(parts, ask, difficulty);
  const choice = choose(question, catalogue.entries, parts.health.of, catalogue.rules);
  if (!choice) throw unknownModel(ask);
  const candidates = parts.gate.permitted(ask, choice.candidates);
  return { choice: { ...choice, candidates }, route: routeOf(ask, choice, difficulty) };
}

async function answer(
  parts: CompleterParts,
  ask: Ask,
  first: Choice,
  route: Route,
  progress: Progress,
): Promise<CompleteResult> {
  let choice = first;
  let won = await workDown(parts, ask, choice, progress);
  const waitUntil = Math.min(ask.call.deadlineAt, Date.now() + parts.limits.restWaitMaxMs);
  // an error at once would be no better than a late answer: what rests is asked again as soon as it may be
  while (!won && Date.now() < waitUntil && mayOpen(parts, choice, progress)) {
    await sleep(REST_POLL_MS * (1 + Math.random()), undefined, { signal: ask.call.signal }).catch(() => {
      throw goneError(ask.call);
    });
    ({ choice } = chosen(parts, ask));
    won = await workDown(parts, ask, choice, progress);
  }
  if (won) return resultOf(ask, choice, won, progress, route);
  const best = progress.failures.findLast(({ failure }) => failure.usable);
  if (!best) throw allFailed(ask, choice, progress);
  return resultOf(ask, choice, { response: best.failure.usable!, target: best.target, report: {} }, progress, route);
}

const REST_POLL_MS = 100;
/** How every reason of a breaker begins. */
const RESTING = /^(left alone|being probed)/;

/** Some way is only closed for a while, by its breaker or for as long as its provider asked. */
function mayOpen({ health, limits }: CompleterParts, { candidates }: Choice, progress: Progress): boolean {
  if (progress.attempts.length >= limits.attemptsMax || progress.failures.some(({ failure }) => failure.usable))
    return false;
  const rests = ({ entry, endpoint }: Choice['candidates'][number]) =>
    endpoint.keys.some((key) => health.of(targetOf(entry, endpoint, key).id)?.blocked !== undefined);
  // what was dropped for another reason than its rest will be dropped again
  return candidates.some((candidate) => (candidate.kept || RESTING.test(candidate.reason)) && rests(candidate));
}

function questionOf(parts: CompleterParts, ask: Ask, difficulty: Difficulty | undefined): Question {
  const { body, call, agent, catalogue } = ask;
  const { chat, model } = body;
  const { routing } = catalogue;
  return {
    model,
    callId: call.callId,
    needs: needsOf(ask),
    fallback: call.fallback ?? agent?.offlineFallback ?? parts.fallback,
    difficulty: difficulty?.share,
    difficultyNote: difficulty?.note,
    thresholds: routing,
    ...sizeOf(parts, ask),
    outputTokensMax: chat.outputTokensMax,
    labels: dataLabelsOf(agent?.dataLabels, body.labels, body.label),
    regions: agent?.regions,
    unaffordable: parts.stages.unaffordable && ((name) => parts.stages.unaffordable?.(ask, name)),
  };
}

/** Where there is something to choose by it. What must stay is looked at only where some window is too small for all. */
function sizeOf(
  { stages }: CompleterParts,
  { body: { chat }, catalogue: { entries } }: Ask,
): Pick<Question, 'inputTokens' | 'neededTokens'> {
  if (entries.length <= 2 && !entries[0]?.contextTokens) return {};
  const inputTokens = roughTokens(chat);
  const tight = entries.some(({ contextTokens }) => contextTokens !== undefined && contextTokens < inputTokens);
  return tight && stages.fit ? { inputTokens, neededTokens: roughTokensNeeded(chat) } : { inputTokens };
}

function needsOf({ body: { chat } }: Ask): Ability[] {
  const needs: Ability[] = [];
  if (chat.tools.length) needs.push('tools');
  if (chat.responseFormat.type === 'json_schema') needs.push('jsonSchema');
  return needs;
}
