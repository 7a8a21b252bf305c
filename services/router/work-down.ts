/**
 * Works down the candidates until one gives a usable answer. Invariants: one layer of retries, and this is it; an answer is
 * one attempt's, never spliced; every try is in `attempts`; tries and time are shared by the whole call; nothing goes on
 * after the deadline or after the asker has left.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ChatRequest, ChatResponse, CompleteResult, TokenUsage } from '@tutti/contracts';
import { logOf } from '@tutti/runtime';
import { type AttemptParts, attempt, type Outcome } from './attempt.ts';
import type { Candidate, Choice } from './core/choose.ts';
import { ModelFailure, type NextMove, nextMove, type RetryLimits } from './core/failure.ts';
import { costOf, type Target, tierRank } from './core/model.ts';
import { reaskWith } from './core/reask.ts';
import type { ModelProvider } from './ports/provider.ts';
import { goneError } from './results.ts';
import type { Ask, Report } from './stages.ts';
import type { ChatTrace } from './tracing.ts';

export interface WorkLimits extends RetryLimits {
  /** One try. */
  attemptTimeoutMs: number;
  /** Tries of one call, the last resort's own not counted. */
  attemptsMax: number;
  /** How long a call waits for ways that rest when nobody else is left. */
  restWaitMaxMs: number;
  /** Kept before the deadline while there is another candidate. */
  reserveMs: number;
}

export interface WorkParts extends AttemptParts {
  limits: AttemptParts['limits'] & WorkLimits;
  /** Throws ModelFailure where there is no way to it. */
  providerOf(target: Target, ask: Ask): ModelProvider;
}

export interface Progress {
  attempts: CompleteResult['attempts'];
  usage: TokenUsage;
  costUsd: number;
  failures: { target: Target; failure: ModelFailure }[];
  trace: ChatTrace;
}

export interface Won {
  response: ChatResponse;
  target: Target;
  report: Report;
}

/** Undefined: nobody had a usable answer. */
export async function workDown(
  parts: WorkParts,
  ask: Ask,
  choice: Choice,
  progress: Progress,
): Promise<Won | undefined> {
  let queue = choice.candidates.filter(({ kept }) => kept);
  while (queue.length > 0) {
    const [candidate, ...rest] = queue as [Candidate, ...Candidate[]];
    const turn = new Turn(parts, ask, candidate, rest, progress);
    const won = await turn.take();
    if (won) return won;
    queue = turn.after();
    if (progress.attempts.length >= parts.limits.attemptsMax) queue = queue.filter(({ entry }) => entry.lastResort);
  }
  return undefined;
}

/** All tries of one candidate. */
class Turn {
  readonly #parts: WorkParts;
  readonly #ask: Ask;
  readonly #candidate: Candidate;
  readonly #rest: Candidate[];
  readonly #progress: Progress;
  #targets: Target[];
  #request: ChatRequest;
  #retries = 0;
  #reasks = 0;
  #refits = 0;
  /** What the provider says its window is. */
  #contextTokens: number | undefined;
  #deterministic = false;
  #left: 'provider' | 'model' | 'tier' = 'provider';

  constructor(parts: WorkParts, ask: Ask, candidate: Candidate, rest: Candidate[], progress: Progress) {
    this.#parts = parts;
    this.#ask = ask;
    this.#candidate = candidate;
    this.#rest = rest;
    this.#progress = progress;
    this.#targets = [...candidate.targets];
    this.#request = ask.body.chat;
    this.#contextTokens = candidate.entry.contextTokens;
  }

  async take(): Promise<Won | undefined> {
    const { limits } = this.#parts;
    for (;;) {
      const timeoutMs = Math.min(limits.attemptTimeoutMs, this.#remainingMs());
      if (timeoutMs <= 0 && this.#rest.length > 0) return undefined;
      const target = this.#targets[0]!;
      const { won, next } = await this.#try(target, timeoutMs);
      if (won) return won;
      if (!(await this.#follow(next!, target))) return undefined;
    }
  }

  /** Who comes next. */
  after(): Candidate[] {
    const { entry } = this.#candidate;
    if (this.#left === 'provider') return this.#rest;
    const others = this.#rest.filter((candidate) => candidate.entry !== entry);
    if (this.#left === 'model') return others;
    const rank = tierRank(entry.tier);
    const higher = (candidate: Candidate) => {
      const other = tierRank(candidate.entry.tier);
      return !candidate.entry.lastResort && rank !== undefined && other !== undefined && other > rank;
    };
    return [...others.filter(higher), ...others.filter((candidate) => !higher(candidate))];
  }

  async #try(target: Target, timeoutMs: number): Promise<{ won?: Won; next?: NextMove }> {
    const startedAt = performance.now();
    const outcome = await this.#attempt(target, timeoutMs);
    const durationMs = performance.now() - startedAt;
    this.#count(target, outcome);
    const { response, failure, report = {} } = outcome;
    if (response) {
      this.#ask.call.live?.flush();
      this.#record(target, durationMs, undefined, undefined);
      this.#progress.trace.succeeded(target);
      return { won: { response, target, report } };
    }
    const failed = failure!;
    this.#ask.call.live?.supersede(failed.message);
    this.#progress.failures.push({ target, failure: failed });
    const next = this.#next(failed, outcome.sent);
    if (outcome.sent) this.#record(target, durationMs, failed, next);
    this.#progress.trace.failed(target, failed, next, durationMs, outcome.sent);
    // What the provider said of it may quote the prompt: it is in the run's journal.
    const said = { ...logOf(this.#ask.call), model: target.entry.id, target: target.id };
    this.#parts.log.warn({ ...said, kind: failed.kind, next: next.move }, 'a model failed');
    if (failed.terminal) throw failed.terminal;
    if (next.move === 'reask') this.#request = reaskWith(this.#ask.body.chat, failed.answer ?? '', failed.message);
    if (failed.contextTokens !== undefined) this.#contextTokens = failed.contextTokens;
    return { next };
  }

  async #attempt(target: Target, timeoutMs: number): Promise<Outcome> {
    let provider: ModelProvider;
    try {
      provider = this.#parts.providerOf(target, this.#ask);
      this.#deterministic = provider.deterministic ?? false;
    } catch (error) {
      if (!(error instanceof ModelFailure)) throw error;
      return { failure: error, sent: false };
    }
    return attempt(this.#parts, {
      ask: this.#ask,
      target,
      provider,
      request: this.#request,
      window: {
        contextTokens: this.#contextTokens,
        outputTokensMax: target.entry.outputTokensMax,
        refit: this.#refits,
      },
      timeoutMs,
    });
  }

  #next(failure: ModelFailure, sent: boolean): NextMove {
    const { entry } = this.#candidate;
    return nextMove(
      failure,
      {
        retries: this.#retries,
        reasks: this.#reasks,
        refits: this.#refits,
        otherKey: this.#targets.length > 1,
        otherProvider: this.#rest.some((candidate) => candidate.entry === entry),
        otherModel: this.#rest.some((candidate) => candidate.entry !== entry && !candidate.entry.lastResort),
        shrinkable: this.#parts.stages.fit !== undefined && sent,
        deterministic: this.#deterministic,
        attemptsLeft: this.#parts.limits.attemptsMax - this.#progress.attempts.length - (sent ? 1 : 0),
        remainingMs: this.#remainingMs(),
      },
      this.#parts.limits,
      Math.random(),
    );
  }

  /** False: this candidate has had its turn. */
  async #follow(next: NextMove, target: Target): Promise<boolean> {
    if ('coolDownMs' in next && next.coolDownMs !== undefined) this.#parts.health.coolDown(target.id, next.coolDownMs);
    switch (next.move) {
      case 'same':
        this.#retries += 1;
        await this.#pause(next.delayMs);
        return true;
      case 'reask':
        this.#reasks += 1;
        return true;
      case 'refit':
        this.#refits += 1;
        return true;
      case 'other_key':
        this.#targets = this.#targets.slice(1);
        this.#retries = 0;
        if (this.#progress.attempts.length < this.#parts.limits.attemptsMax) return true;
        return this.#leave('model');
      case 'other_provider':
        return this.#leave('provider');
      case 'other_model':
        return this.#leave('model');
      case 'escalate':
        return this.#leave('tier');
      case 'stop':
        throw goneError(this.#ask.call);
      default: {
        const never: never = next;
        throw new Error(`unknown move ${JSON.stringify(never)}`);
      }
    }
  }

  #leave(what: 'provider' | 'model' | 'tier'): false {
    this.#left = what;
    return false;
  }

  async #pause(delayMs: number): Promise<void> {
    try {
      await sleep(delayMs, undefined, { signal: this.#ask.call.signal });
    } catch {
      throw goneError(this.#ask.call);
    }
  }

  #remainingMs(): number {
    const reserved = this.#rest.length > 0 ? this.#parts.limits.reserveMs : 0;
    return this.#ask.call.deadlineAt - Date.now() - reserved;
  }

  #count(target: Target, { usage }: Outcome): void {
    if (!usage) return;
    const progress = this.#progress;
    const sum = (a: number | undefined, b: number | undefined) =>
      a === undefined && b === undefined ? undefined : (a ?? 0) + (b ?? 0);
    const cached = sum(progress.usage.cachedInputTokens, usage.cachedInputTokens);
    const reasoning = sum(progress.usage.reasoningTokens, usage.reasoningTokens);
    progress.usage = {
      inputTokens: progress.usage.inputTokens + usage.inputTokens,
      outputTokens: progress.usage.outputTokens + usage.outputTokens,
      ...(cached === undefined ? {} : { cachedInputTokens: cached }),
      ...(reasoning === undefined ? {} : { reasoningTokens: reasoning }),
    };
    progress.costUsd += costOf(target.endpoint.price, usage);
  }

  #record(target: Target, durationMs: number, failure: ModelFailure | undefined, next: NextMove | undefined): void {
    this.#progress.attempts.push({
      model: target.entry.id,
      provider: target.endpoint.provider,
      ok: failure === undefined,
      ...(failure ? { error: `${failure.kind}: ${failure.message}` } : {}),
      durationMs: Math.round(durationMs),
      ...(target.key ? { key: target.key } : {}),
      ...(next ? { next: next.move } : {}),
    });
  }
}
