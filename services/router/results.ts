/** What a call comes to: its result, or the one error that all failures together are. */
import { type CompleteResult, TuttiError } from '@tutti/contracts';
import type { Choice } from './core/choose.ts';
import type { Difficulty } from './difficulty-of-call.ts';
import type { Ask, CallContext } from './stages.ts';
import type { Progress, Won } from './work-down.ts';

export type Route = NonNullable<CompleteResult['route']>;

export function routeOf(ask: Ask, choice: Choice, difficulty: Difficulty | undefined): Route {
  const { tier, reason } = choice;
  const { share, features, gradedBy } = difficulty ?? {};
  return {
    asked: ask.body.model,
    ...(tier === undefined ? {} : { tier }),
    ...(share === undefined ? {} : { difficulty: share, features }),
    ...(gradedBy === undefined ? {} : { gradedBy }),
    reason,
  };
}

export function candidatesOf({ candidates }: Choice): CompleteResult['candidates'] {
  return candidates.map(({ entry, endpoint, kept, reason }) => ({
    model: entry.id,
    provider: endpoint.provider,
    kept,
    reason,
  }));
}

export function resultOf(
  ask: Ask,
  choice: Choice,
  { response, target, report }: Won,
  progress: Progress,
  route: Route,
): CompleteResult {
  const { entry, endpoint } = target;
  const better = ask.catalogue.entries.some((other) => !other.lastResort);
  return {
    ...report,
    ...response,
    usage: progress.usage,
    model: entry.id,
    provider: endpoint.provider,
    route,
    degraded: entry.lastResort && ask.body.model !== entry.id && better,
    costUsd: progress.costUsd,
    attempts: progress.attempts,
    candidates: candidatesOf(choice),
  };
}

/** The asker's signal also stands for its deadline. */
export function goneError(call: CallContext): TuttiError {
  return Date.now() >= call.deadlineAt
    ? new TuttiError('timeout', 'the deadline passed before a model had answered')
    : new TuttiError('cancelled', 'the request was cancelled');
}

export function allFailed(ask: Ask, choice: Choice, progress: Progress): TuttiError {
  const failed = progress.failures.map(({ target, failure }) => `${target.entry.id}: ${failure.message}`);
  const dropped = choice.candidates.filter(({ kept }) => !kept).map(({ entry, reason }) => `${entry.id}: ${reason}`);
  const hints = progress.failures.flatMap(({ failure }) => failure.retryAfterMs ?? []);
  return new TuttiError(
    'model_failed',
    `no model gave a usable answer for "${ask.body.model}" (${[...failed, ...dropped].join('; ')})`,
    {
      ...(hints.length ? { retryAfterMs: Math.min(...hints) } : {}),
      details: { attempts: progress.attempts, candidates: candidatesOf(choice) },
    },
  );
}

export function unknownModel(ask: Ask): TuttiError {
  const { entries, rules } = ask.catalogue;
  const known = [...entries.map(({ id }) => id), ...Object.keys(rules)].join(', ');
  return new TuttiError(
    'not_found',
    `there is no model "${ask.body.model}" here (there are: ${known}); use "auto", or set TUTTI_MODEL`,
  );
}
