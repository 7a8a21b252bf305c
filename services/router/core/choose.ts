/**
 * Which models may answer a request, by which way, in which order, and why the others may not. Pure: the same question has
 * the same answer. Invariants: every way to every model that was considered is in the result, kept or dropped, with a
 * reason; nothing dearer than the ceiling is kept; labelled data goes to cleared providers alone.
 */
import type { ModelPrice, ModelTier, RouteObjective } from '@tutti/contracts';
import { unclearedOf } from './data-labels.ts';
import { type Ability, costOf, type Endpoint, type ModelEntry, type Target, targetOf, tierRank } from './model.ts';
import { DEFAULT_THRESHOLD_OF_TWO, DEFAULT_THRESHOLDS } from './routing-defaults.ts';
import { shareOf, spreadEndpoints, spreadKeys } from './spread.ts';

export const AUTO = 'auto';

export interface TargetHealth {
  /** Why no request may go there now (an open circuit, a cool-down, a rate limit). */
  blocked?: string | undefined;
  /** 0 to 1, of late. */
  failureShare?: number | undefined;
  latencyMs?: number | undefined;
}
/** By target id; one that is not in it is well as far as is known. */
export type Health = (target: string) => TargetHealth | undefined;

export interface Question {
  /** `auto`, a tier, a model's or a route's name. */
  model: string;
  /** Spreads calls over endpoints and keys, the same call always to the same ones. */
  callId: string;
  needs: readonly Ability[];
  /** May the last resort step in where a better model was asked for? */
  fallback: boolean;
  /** 0 to 1; looked at where `auto` decides. */
  difficulty?: number | undefined;
  /** Who says so, where it is not what it looks like alone. */
  difficultyNote?: string | undefined;
  /** From which difficulty on; the built-in ones where they are left out. */
  thresholds?: { medium?: number | undefined; large?: number | undefined } | undefined;
  inputTokens?: number | undefined;
  /** What is left of them when everything is left out that may be. As many as there are where it is left out. */
  neededTokens?: number | undefined;
  /** The longest answer that was asked for. */
  outputTokensMax?: number | undefined;
  labels?: readonly string[] | undefined;
  regions?: readonly string[] | undefined;
  /** Why a model may not be paid for (a budget has no room). */
  unaffordable?: ((model: string) => string | undefined) | undefined;
}

export interface Rule {
  name: string;
  models?: readonly string[] | undefined;
  tier?: 'auto' | ModelTier | undefined;
  objective: RouteObjective;
  priceMax?: { input?: number | undefined; output?: number | undefined } | undefined;
  costUsdMax?: number | undefined;
  regions?: readonly string[] | undefined;
  offlineFallback?: boolean | undefined;
}

/** One way to a model, with its keys in the order in which they are tried. */
export interface Candidate {
  entry: ModelEntry;
  endpoint: Endpoint;
  targets: Target[];
  kept: boolean;
  reason: string;
}

export interface Choice {
  candidates: Candidate[];
  tier: ModelTier | undefined;
  reason: string;
}

/** Of an answer nobody has set a length for: what a score counts with. */
const OUTPUT_TOKENS_TYPICAL = 500;
const INPUT_TOKENS_TYPICAL = 1_000;
const LATENCY_MS_TYPICAL: Record<ModelTier, number> = { small: 1_000, medium: 2_500, large: 5_000 };
/** A free model is not infinitely better than a cheap one. */
const COST_FLOOR_USD = 0.000_01;
const HEALTH_FLOOR = 0.05;
const EXPONENTS: Record<RouteObjective, { cost: number; latency: number }> = {
  balanced: { cost: 1, latency: 0.5 },
  cost: { cost: 1, latency: 0 },
  latency: { cost: 0.1, latency: 1 },
  order: { cost: 0, latency: 0 },
};

/** Undefined: no model and no route has this name. */
export function choose(
  question: Question,
  catalogue: readonly ModelEntry[],
  health: Health,
  rules: Readonly<Record<string, Rule>> = {},
): Choice | undefined {
  const ask = understand(question, catalogue, rules);
  if (!ask) return undefined;
  const ordered = ask.named ? ask.entries : inOrder(ask, question, health);
  const candidates = [...ordered, ...resorts(ask, question, catalogue)].flatMap(({ entry, why }) =>
    waysTo(entry, why, ask, question, health),
  );
  return { candidates, tier: ask.tier, reason: ask.reason };
}

interface Considered {
  entry: ModelEntry;
  why: string;
}
interface Ask {
  entries: Considered[];
  rule: Rule | undefined;
  tier: ModelTier | undefined;
  /** One model by its name. */
  named: boolean;
  reason: string;
}

function understand(
  question: Question,
  catalogue: readonly ModelEntry[],
  rules: Readonly<Record<string, Rule>>,
): Ask | undefined {
  const { model } = question;
  const named = catalogue.find(({ id }) => id === model);
  if (named) {
    const entries = [{ entry: named, why: 'asked for by name' }];
    return { entries, rule: undefined, tier: undefined, named: true, reason: 'a model by its name' };
  }
  const better = catalogue.filter((entry) => !entry.lastResort);
  const listed = (entries: readonly ModelEntry[]) =>
    entries.map((entry, index) => ({ entry, why: index === 0 ? 'first in the catalogue' : 'next in the catalogue' }));
  const rule = Object.hasOwn(rules, model) ? rules[model] : undefined;
  if (rule) {
    const names = rule.models;
    const entries = names ? names.flatMap((name) => catalogue.find(({ id }) => id === name) ?? []) : better;
    const tier = rule.tier === 'auto' ? tierFor(question, entries) : rule.tier;
    return {
      entries: listed(entries),
      rule,
      tier,
      named: false,
      reason: `the route ${rule.name}${tierReason(rule.tier, tier, question)}`,
    };
  }
  const word = model === AUTO ? 'auto' : tierRank(model as ModelTier) === -1 ? undefined : (model as ModelTier);
  if (!word) return undefined;
  // where one tier is all there is, there is nothing to find out
  const tiers = new Set(better.map((entry) => entry.tier));
  const tier = word !== 'auto' ? word : tiers.size > 1 ? tierFor(question, better) : undefined;
  return {
    entries: listed(better),
    rule: undefined,
    tier,
    named: false,
    reason: `${word}${tierReason(word, tier, question)}`,
  };
}

function tierReason(asked: string | undefined, tier: ModelTier | undefined, question: Question): string {
  if (!tier || asked !== 'auto') return '';
  const { difficulty, difficultyNote } = question;
  if (difficulty === undefined) return `: ${tier}`;
  return `: difficulty ${difficulty.toFixed(2)}${difficultyNote ? ` (${difficultyNote})` : ''} asks for ${tier}`;
}

function tierFor({ difficulty, thresholds }: Question, entries: readonly ModelEntry[]): ModelTier | undefined {
  if (difficulty === undefined) return undefined;
  const all = ['small', 'medium', 'large'].every((tier) => entries.some((entry) => entry.tier === tier));
  const builtIn = all ? DEFAULT_THRESHOLDS : { medium: DEFAULT_THRESHOLD_OF_TWO, large: DEFAULT_THRESHOLD_OF_TWO };
  // one that a bundle gives is never beaten by a built-in one of the other
  const large = thresholds?.large ?? Math.max(builtIn.large, thresholds?.medium ?? 0);
  if (difficulty >= large) return 'large';
  return difficulty >= (thresholds?.medium ?? builtIn.medium) ? 'medium' : 'small';
}

/** The tier that is wanted, then the tiers above it (an answer too good costs money, one too bad costs the answer), then those below; within one by score. */
function inOrder(ask: Ask, question: Question, health: Health): Considered[] {
  const { objective = 'balanced' } = ask.rule ?? {};
  if (objective === 'order' && !ask.tier) return ask.entries;
  const scored = ask.entries.map((considered, index) => {
    const { entry } = considered;
    const steps = tierSteps(entry.tier, ask.tier);
    const score = objective === 'order' ? index : scoreOf(entry, objective, question, health);
    return { considered, steps, tight: isTight(entry, question), score, index };
  });
  scored.sort((a, b) => a.steps - b.steps || a.tight - b.tight || a.score - b.score || a.index - b.index);
  if (scored.length === 1) return ask.entries;
  return scored.map(({ considered, steps, score }, place) => {
    const fits = ask.tier ? (steps === 0 ? `the tier ${ask.tier}` : `${considered.entry.tier ?? 'no'} tier`) : '';
    const by = objective === 'order' ? 'in the route’s order' : `score ${score.toPrecision(3)} (${objective})`;
    return { entry: considered.entry, why: [place === 0 ? 'best' : 'next', fits, by].filter(Boolean).join(', ') };
  });
}

/** Something would have to be left out. */
function isTight({ contextTokens }: ModelEntry, { inputTokens, neededTokens }: Question): 0 | 1 {
  if (contextTokens === undefined || neededTokens === undefined) return 0;
  return inputTokens !== undefined && inputTokens > contextTokens ? 1 : 0;
}

function tierSteps(tier: ModelTier | undefined, wanted: ModelTier | undefined): number {
  const [has, wants] = [tierRank(tier), tierRank(wanted)];
  if (has === undefined || wants === undefined || has === wants) return 0;
  return has > wants ? has - wants : 10 + wants - has;
}

/** Lower is better: cost × expected latency ÷ health, of the model's best way. */
function scoreOf(entry: ModelEntry, objective: RouteObjective, question: Question, health: Health): number {
  const exponents = EXPONENTS[objective];
  const usage = {
    inputTokens: question.inputTokens ?? INPUT_TOKENS_TYPICAL,
    outputTokens: Math.min(question.outputTokensMax ?? OUTPUT_TOKENS_TYPICAL, OUTPUT_TOKENS_TYPICAL),
  };
  const scores = entry.endpoints.flatMap((endpoint) =>
    endpoint.keys.map((key) => {
      const known = health(targetOf(entry, endpoint, key).id);
      const cost = Math.max(COST_FLOOR_USD, costOf(endpoint.price, usage));
      const latencyMs = known?.latencyMs ?? entry.latencyMs ?? LATENCY_MS_TYPICAL[entry.tier ?? 'medium'];
      const well = Math.max(HEALTH_FLOOR, 1 - (known?.failureShare ?? 0));
      return (cost ** exponents.cost * latencyMs ** exponents.latency) / well;
    }),
  );
  return Math.min(...scores);
}

function resorts(ask: Ask, question: Question, catalogue: readonly ModelEntry[]): Considered[] {
  const already = new Set(ask.entries.map(({ entry }) => entry.id));
  const alone = ask.entries.length === 0;
  if (!alone && !(question.fallback && ask.rule?.offlineFallback !== false)) return [];
  const why = alone ? 'the only model there is' : 'last resort when every better model fails';
  return catalogue.filter((entry) => entry.lastResort && !already.has(entry.id)).map((entry) => ({ entry, why }));
}

function waysTo(entry: ModelEntry, why: string, ask: Ask, question: Question, health: Health): Candidate[] {
  const against = reasonAgainst(entry, question);
  return spreadEndpoints(entry, shareOf(question.callId, entry.id)).map(({ endpoint, note }) => {
    const drop = (reason: string): Candidate => ({ entry, endpoint, targets: [], kept: false, reason });
    const no = against ?? reasonAgainstWay(entry, endpoint, ask, question);
    if (no) return drop(no);
    const targets = spreadKeys(endpoint.keys, shareOf(question.callId, endpoint.provider)).map((key) =>
      targetOf(entry, endpoint, key),
    );
    const blocked = targets.map(({ id }) => health(id)?.blocked);
    const open = targets.filter((_, index) => blocked[index] === undefined);
    if (open.length === 0) return drop(blocked[0] ?? 'has no key');
    return { entry, endpoint, targets: open, kept: true, reason: note ? `${why}; ${note}` : why };
  });
}

function reasonAgainst(entry: ModelEntry, question: Question): string | undefined {
  const lacking = question.needs.filter((ability) => !entry.abilities.includes(ability));
  if (lacking.length) return `cannot do ${lacking.join(' and ')}`;
  const needed = question.neededTokens ?? question.inputTokens;
  if (entry.contextTokens !== undefined && needed !== undefined && needed > entry.contextTokens)
    return `its window of ${entry.contextTokens} tokens is too small for about ${needed}`;
  return entry.lastResort ? undefined : question.unaffordable?.(entry.id);
}

function reasonAgainstWay(entry: ModelEntry, endpoint: Endpoint, ask: Ask, question: Question): string | undefined {
  const { region, labels, problem } = endpoint;
  if (problem) return problem;
  for (const regions of [question.regions, ask.rule?.regions])
    if (regions && !entry.lastResort && !(region && regions.includes(region)))
      return `its region ${region ?? '(none)'} is not allowed (${regions.join(', ')})`;
  const unclear = entry.lastResort ? [] : unclearedOf(question.labels, labels);
  if (unclear.length) return `is not cleared for ${unclear.join(', ')}`;
  return reasonAgainstPrice(endpoint.price, entry, ask.rule, question);
}

function reasonAgainstPrice(
  price: ModelPrice,
  entry: ModelEntry,
  rule: Rule | undefined,
  question: Question,
): string | undefined {
  const { priceMax, costUsdMax } = rule ?? {};
  for (const kind of ['input', 'output'] as const) {
    const max = priceMax?.[kind];
    if (max !== undefined && price[kind] > max)
      return `${kind} costs $${price[kind]} a million tokens, above the ceiling of $${max}`;
  }
  if (costUsdMax === undefined) return undefined;
  const outputTokens = question.outputTokensMax ?? entry.outputTokensMax ?? OUTPUT_TOKENS_TYPICAL;
  const cost = costOf(price, { inputTokens: question.inputTokens ?? INPUT_TOKENS_TYPICAL, outputTokens });
  return cost > costUsdMax ? `may cost $${cost.toPrecision(3)}, above the ceiling of $${costUsdMax} a call` : undefined;
}
