/**
 * Which tools a goal calls for. A clause is a query against the tools as documents (BM25's IDF over the toolset, fields
 * weighted), with the verb's class and the arguments that the text can fill as further evidence. Owns the thresholds.
 */
import { fillFromText, namesIn } from './arguments.ts';
import { answeringSentences } from './citations.ts';
import { objectPhrase } from './free-text.ts';
import { type Clause, effectClauses } from './goal.ts';
import { ORDINAL_WORDS, PERSON_WORDS, PRONOUNS, READ_CLASSES, RELATED_CLASSES, type VerbClass } from './lexicon.ts';
import { isInside } from './names.ts';
import { producersOf } from './producers.ts';
import { enumOf } from './schema.ts';
import type { Situation } from './situation.ts';
import type { Tool } from './toolbox.ts';
import { areOpposite, isGeneric, isGenericPair, particlesClash, sameAct } from './verbs.ts';
import { akin, contentStems, inverseDocumentFrequency, related, stem, wordsOf } from './words.ts';

export interface Target {
  readonly tool: Tool;
  readonly clause: Clause;
}
export interface Selection {
  readonly effects: readonly Target[];
  readonly reads: readonly Target[];
  readonly unmatched: readonly Clause[];
}

const NAME_WEIGHT = 2;
const DESCRIPTION_WEIGHT = 1;
const PARAMETER_WEIGHT = 0.7;
const OUTPUT_WEIGHT = 0.6;
const RELATED_WEIGHT = 0.48;
const DERIVED_WEIGHT = 0.6;
/** What the description's verb acts upon counts more than what else it mentions. */
const OBJECT_BONUS = 0.6;
/** Calls that a human has to approve are the second choice for a question. */
const GUARDED_PENALTY = 0.2;
const READ_SCORE_MIN = 1.25;
const EFFECT_SCORE_MIN = 2.4;
const READ_TARGETS_MAX = 4;
const PLAN_TARGETS_MAX = 4;

const idfCache = new WeakMap<object, (term: string) => number>();

function idfOf(situation: Situation): (term: string) => number {
  const known = idfCache.get(situation.request);
  if (known) return known;
  const idf = inverseDocumentFrequency(
    situation.tools.map((tool) => new Set([...tool.nameStems, ...tool.descriptionStems])),
  );
  // A toolset of one or two makes every term look common: keep a floor.
  const floored = (term: string): number => Math.max(0.7, idf(term));
  idfCache.set(situation.request, floored);
  return floored;
}

function weightIn(tool: Tool, term: string): number {
  if (tool.nameStems.has(term)) return NAME_WEIGHT;
  const direct = tool.descriptionStems.has(term)
    ? DESCRIPTION_WEIGHT
    : tool.parameterStems.has(term)
      ? PARAMETER_WEIGHT
      : tool.outputStems.has(term)
        ? OUTPUT_WEIGHT
        : 0;
  const named = [...tool.nameStems].some((name) => related(term, name)) ? NAME_WEIGHT * RELATED_WEIGHT : 0;
  const described = [...tool.descriptionStems].some((name) => related(term, name))
    ? DESCRIPTION_WEIGHT * RELATED_WEIGHT
    : 0;
  const derived =
    direct === 0 && [...tool.nameStems, ...tool.parameterStems].some((one) => akin(term, one)) ? DERIVED_WEIGHT : 0;
  const abbreviated = tool.acronyms.has(term) ? DESCRIPTION_WEIGHT : 0;
  return Math.max(direct, named, described, derived, abbreviated);
}

export function lexicalScore(
  situation: Situation,
  tool: Tool,
  stems: Iterable<string>,
): { score: number; terms: Set<string> } {
  const idf = idfOf(situation);
  const terms = new Set<string>();
  let score = 0;
  for (const term of new Set(stems)) {
    const weight = weightIn(tool, term);
    if (weight === 0) continue;
    terms.add(term);
    score += weight * idf(term);
  }
  return { score, terms };
}

/** Strong kinds: a value of such a kind in the text speaks for the tool by itself. */
const STRONG = new Set(['expression', 'currency', 'url', 'email']);

function evidence(
  situation: Situation,
  tool: Tool,
  clause: Clause,
): { filled: number; required: number; strong: number; exact: number } {
  const filling = fillFromText(situation, tool, clause);
  const required = tool.parameters.filter((one) => one.required);
  const given = filling.filled.filter((one) => one.source === 'text' || one.source === 'label');
  const strong = given.filter(
    (one) =>
      STRONG.has(one.parameter.kind) ||
      (one.parameter.kind === 'id' && one.score >= 0.8) ||
      (one.parameter.kind === 'enum' && one.parameter.required),
  ).length;
  return {
    filled: given.filter((one) => one.parameter.required && one.parameter.kind !== 'query').length,
    required: required.length,
    strong,
    // "Ticket 4700" is one ticket: who asks for it wants no list.
    exact: given.filter((one) => one.parameter.kind === 'id' && one.parameter.required && one.score >= 0.8).length,
  };
}

const namedInText = (tool: Tool, text: string): boolean =>
  tool.name.length > 3 && /[A-Z_-]/.test(tool.name.slice(1)) && text.includes(tool.name);

function readScore(
  situation: Situation,
  tool: Tool,
  clause: Clause,
  stems: readonly string[],
): { score: number; terms: Set<string> } {
  const { score, terms } = lexicalScore(situation, tool, stems);
  if (namedInText(tool, clause.text)) return { score: score + 20, terms: new Set([...terms, tool.name]) };
  const proof = evidence(situation, tool, clause);
  const verb = clause.verb && (tool.nameStems.has(stem(clause.verb)) || tool.verbClass === clause.verbClass) ? 0.5 : 0;
  if (terms.size === 0 && proof.strong === 0) return { score: 0, terms };
  const open = proof.required - proof.filled;
  // "Orders" asks for a list, "the order" for one.
  const words = new Set(wordsOf(clause.text));
  const plural =
    ['list', 'find'].includes(tool.verbClass) &&
    tool.nouns.some((noun) => words.has(`${noun}s`) || (noun.endsWith('y') && words.has(`${noun.slice(0, -1)}ies`)))
      ? 0.5
      : 0;
  return {
    score:
      score +
      verb +
      plural +
      (tool.checks && /^\W*(?:am|is|are|do|does|can|have|has|will)\b/i.test(clause.text) ? 0.5 : 0) +
      proof.strong * 1.1 +
      proof.exact * 0.9 +
      (proof.required > 0 ? (proof.filled / proof.required) * 0.8 : 0.1) -
      (tool.guarded ? GUARDED_PENALTY : 0) -
      Math.min(open, 3) * 0.15,
    terms,
  };
}

/** Words implied by what the text mentions, so that "250 USD" finds a currency tool. */
function impliedStems(situation: Situation, clause: Clause): string[] {
  const inside = situation.goal.mentions.filter((one) => one.start >= clause.start && one.start < clause.end);
  return [
    ...(inside.some((one) => one.kind === 'currency') ? ['currency', 'convert', 'exchange'].map(stem) : []),
    // "What do I still have to do?" consists of function words alone.
    ...(/\b(?:to do|left to do|on my (?:list|plate))\b/i.test(clause.text) ? ['todo', 'task'].map(stem) : []),
  ];
}

export function selectReads(situation: Situation, clause: Clause): Target[] {
  const stems = [
    ...clause.stems,
    ...impliedStems(situation, clause),
    ...(clause.verb ? [stem(clause.verb)] : []),
  ].filter(
    (one) =>
      !['show', 'get', 'find', 'list', 'check', 'look', 'plan'].includes(one) ||
      situation.tools.some((tool) => tool.nouns.includes(one)),
  );
  const scored = situation.tools
    .filter((tool) => !tool.effectful)
    .map((tool, order) => ({ tool, order, ...readScore(situation, tool, clause, stems) }))
    .filter((one) => one.score >= READ_SCORE_MIN)
    .sort((left, right) => right.score - left.score || left.order - right.order);
  const chosen: Target[] = [];
  if (scored.length === 0) return fallbackRead(situation, clause);
  const covered = new Set<string>();
  for (const one of scored) {
    if (chosen.length >= READ_TARGETS_MAX) break;
    if (chosen.length > 0) {
      // A further tool must answer for a word of its own name that the clause says and no chosen tool covers.
      const fresh = [...one.terms].filter(
        (term) =>
          !covered.has(term) &&
          (one.tool.nameStems.has(term) || term === one.tool.name) &&
          !(clause.verb && term === stem(clause.verb)),
      );
      if (
        fresh.length === 0 ||
        !fresh.some((term) => one.tool.nouns.some((noun) => stem(noun) === term) || term === one.tool.name)
      )
        continue;
      if (
        one.tool.parameters.some(
          (parameter) =>
            parameter.required &&
            parameter.kind === 'id' &&
            !fillFromText(situation, one.tool, clause).filled.some((filled) => filled.parameter === parameter),
        ) &&
        chosen.some((target) => target.tool.nouns.some((noun) => one.tool.nouns.includes(noun)))
      )
        continue;
    }
    chosen.push({ tool: one.tool, clause });
    for (const term of one.terms) covered.add(term);
  }
  return chosen;
}

/**
 * Words that name no tool still may name what a tool searches: a clear wish to look something up goes to the one tool that
 * takes free words, a question about a person to the tool that knows people. Documents come first where they answer.
 */
function fallbackRead(situation: Situation, clause: Clause): Target[] {
  if (answeringSentences(situation.passages, clause.stems).length > 0) return [];
  const state = stateRead(situation, clause);
  if (state) return [{ tool: state, clause }];
  const valued = valuedRead(situation, clause);
  if (valued) return [{ tool: valued, clause }];
  const person = namesIn(
    situation.goal.mentions.filter(
      (one) => one.start >= clause.start && one.start < clause.end && !/^(?:in|at|to|from)$/.test(one.cue),
    ),
    clause,
  )[0];
  const pure = situation.tools.filter((tool) => !tool.effectful);
  if (person && (clause.question || clause.verb !== '')) {
    const people = pure.filter(
      (tool) =>
        tool.nouns.some((noun) => PERSON_WORDS.has(noun)) &&
        tool.parameters.some((one) => one.kind === 'id' || one.kind === 'query' || one.kind === 'person'),
    );
    const detail = people.find((tool) => tool.verbClass === 'get' && people.length > 1) ?? people[0];
    if (detail) return [{ tool: detail, clause }];
  }
  const wished =
    ['find', 'list', 'get'].includes(clause.verbClass) &&
    (clause.verb !== '' ||
      /^\W*(?:how|how much|what|which|who|where|are there|is there|do you have|any)\b/i.test(clause.text) ||
      /^\s*(?:i need|i want|i'm looking|looking for)/i.test(clause.text));
  if (!wished || clause.stems.length === 0) return [];
  const searchers = pure.filter(
    (tool) =>
      ['find', 'list'].includes(tool.verbClass) &&
      tool.parameters.some((one) => one.kind === 'query') &&
      fillFromText(situation, tool, clause).open.length === 0,
  );
  const priced = /\b(?:price|cost|cheap\w*|expensive|how much|buy)\b/i.test(clause.text);
  const ranked = searchers
    .map((tool, order) => ({
      tool,
      order,
      score:
        (priced && [...tool.outputStems, ...tool.parameterStems].some((one) => related(one, 'price')) ? 1 : 0) +
        (clause.verbClass === tool.verbClass ? 0.2 : 0),
    }))
    .sort((a, b) => b.score - a.score || a.order - b.order);
  const best = ranked[0];
  // Several equally good searchers: guessing among them would only be noise.
  return best && (ranked.length === 1 || best.score > ranked[1]!.score) ? [{ tool: best.tool, clause }] : [];
}

/**
 * "Is the bedroom lamp on?", "Has it been delivered?": a yes-or-no question about a thing goes to the one tool that tells
 * the state of one thing, where another tool knows such things.
 */
function stateRead(situation: Situation, clause: Clause): Tool | null {
  if (
    !/^\W*(?:is|are|was|were|has|have|does|do|did)\s+(?:the|my|our|his|her|their|it|this|that|\p{Lu})/iu.test(
      clause.text,
    )
  )
    return null;
  const telling = situation.tools.filter(
    (tool) =>
      !tool.effectful &&
      ['get', 'check'].includes(tool.verbClass) &&
      tool.nouns.some((noun) => /^(?:state|status|condition|info|detail|health)$/.test(noun)) &&
      tool.parameters.some((one) => one.required && one.kind === 'id') &&
      tool.parameters.every(
        (one) => !one.required || one.kind !== 'id' || producersOf(situation, one, tool, [tool.name]).length > 0,
      ),
  );
  return telling.length === 1 ? telling[0]! : null;
}

/** "When does Ann Lee play in Rome?": no word names the tool, but only one search takes such values. */
function valuedRead(situation: Situation, clause: Clause): Tool | null {
  if (!clause.question) return null;
  const inside = situation.goal.mentions.filter((one) => isInside(one, clause) && one.kind === 'name');
  if (inside.length < 2) return null;
  const takers = situation.tools.filter((tool) => {
    if (tool.effectful || !['find', 'list'].includes(tool.verbClass)) return false;
    const filling = fillFromText(situation, tool, clause);
    return (
      filling.open.length === 0 &&
      filling.filled.some((one) => one.source === 'text' && ['place', 'named', 'person'].includes(one.parameter.kind))
    );
  });
  return takers.length === 1 ? takers[0]! : null;
}

/** "Plan …" gathers whatever the goal's own values can be put to: at least a place or name and a date. */
function selectForPlan(situation: Situation, clause: Clause, taken: ReadonlySet<string>): Target[] {
  const fits = situation.tools
    .filter((tool) => !tool.effectful && !taken.has(tool.name) && tool.parameters.some((one) => one.required))
    .map((tool) => ({ tool, filling: fillFromText(situation, tool, clause) }))
    .filter(({ filling }) => {
      const kinds = new Set(
        filling.filled
          .filter((one) => one.source !== 'default' && one.source !== 'rule')
          .map((one) => (one.parameter.kind === 'moment' ? 'date' : one.parameter.kind)),
      );
      // Where only the dates are open, they are worth a question.
      const dateless =
        filling.open.length > 0 && filling.open.every((one) => one.kind === 'date' || one.kind === 'moment');
      return (
        (dateless ? kinds.has('place') : filling.open.length === 0 && kinds.has('date')) &&
        (kinds.has('place') || kinds.has('named') || kinds.has('person'))
      );
    });
  return fits.slice(0, PLAN_TARGETS_MAX).map(({ tool }) => ({ tool, clause }));
}

/** How well an effect tool does what a clause asks; null where their verbs do not agree. */
export function effectScore(
  situation: Situation,
  tool: Tool,
  clause: Clause,
  objectStems: readonly string[],
): number | null {
  const named = namedInText(tool, clause.text) ? 20 : 0;
  const score = verbalScore(situation, tool, clause, objectStems);
  return named > 0 ? named + (score ?? 0) : score;
}

/** How a wish's verb agrees with a tool's, strongest first; null where acting on it would be another act. */
type Agreement = 'same' | 'synonym' | 'generic' | 'value' | 'described' | 'kin';

function agreementOf(tool: Tool, clause: Clause): Agreement | null {
  const wish = clause.verb.split(' ')[0] ?? '';
  const verb = stem(wish);
  if (tool.ownVerbs.some((one) => areOpposite(one, wish)) || particlesClash(clause.text, wish, tool.name)) return null;
  if (verb === '') return tool.verbClass === clause.verbClass ? 'synonym' : null;
  const undoing = tool.verbClass === 'undo';
  if (tool.ownVerbs.some((one) => stem(one) === verb)) return 'same';
  if (tool.nameStems.has(verb) && !(undoing && clause.verbClass !== 'undo'))
    // "comment on it" is `add_comment`; "order it" is no `cancel_order`.
    return isGeneric(tool.verb, tool.verbClass) || tool.verbClass === clause.verbClass ? 'same' : 'described';
  if (tool.ownVerbs.some((one) => sameAct(wish, one))) return 'synonym';
  if (undoing !== (clause.verbClass === 'undo')) return valueOfVerb(tool, verb) ? 'value' : null;
  if ([...tool.nameStems].some((one) => related(one, verb)) && !undoing) return 'synonym';
  if (isGenericPair(wish, clause.verbClass, tool.verb, tool.verbClass)) return 'generic';
  if (valueOfVerb(tool, verb)) return 'value';
  if (tool.descriptionStems.has(verb)) return 'described';
  if (!KIN_CLASSES.has(clause.verbClass)) return null;
  return RELATED_CLASSES[clause.verbClass]?.includes(tool.verbClass) &&
    (isGeneric(tool.verb, tool.verbClass) || isGeneric(wish, clause.verbClass))
    ? 'kin'
    : null;
}

/** Wishes to get or send something may be met by creating it; to stop or to change something may not. */
const KIN_CLASSES: ReadonlySet<VerbClass> = new Set(['acquire', 'create', 'send', 'schedule', 'pay', 'prepare']);

/** "Close it" by setting a state to "closed", "assign it" by an assignee: for tools that change fields of a thing. */
const valueOfVerb = (tool: Tool, verb: string): boolean =>
  (tool.verbClass === 'update' || tool.verbClass === 'create' || tool.verbClass === 'send') &&
  tool.parameters.some((one) =>
    tool.verbClass === 'update'
      ? akin(verb, stem(one.words[0] ?? '')) ||
        (enumOf(one.item)?.some((option) => stem(String(option)) === verb) ?? false)
      : false,
  );

const AGREEMENT_SCORE: Record<Agreement, number> = {
  same: 2.5,
  synonym: 1.8,
  value: 1.8,
  described: 1.6,
  generic: 1.5,
  kin: 0.8,
};

function verbalScore(situation: Situation, tool: Tool, clause: Clause, allStems: readonly string[]): number | null {
  const agreement = agreementOf(tool, clause);
  if (!agreement) return null;
  const verb = stem(clause.verb.split(' ')[0] ?? '');
  // What an own object names is not what an earlier goal was about: "add a note that …" books no second table.
  const own = wordsOf(objectPhrase(clause)).filter((word) => !Object.hasOwn(ORDINAL_WORDS, word) && !/^\d/.test(word));
  const objectStems = own.length === 0 || own.every((word) => PRONOUNS.has(word)) ? allStems : clause.stems;
  const objects = lexicalScore(situation, tool, objectStems);
  const nouns = new Set([...tool.nouns.map(stem), ...tool.acronyms]);
  const nounHit =
    (verb !== '' && agreement !== 'same' && [...nouns].some((noun) => related(noun, verb))) ||
    objectStems.some((one) => [...nouns].some((noun) => related(noun, one)));
  const proof = evidence(situation, tool, clause);
  const described =
    objectStems.some((one) => tool.descriptionStems.has(one)) ||
    hasOption(tool, objectStems) ||
    (agreement === 'synonym' && proof.filled > 0);
  const onlySender =
    clause.verbClass === 'send' &&
    tool.verbClass === 'send' &&
    situation.tools.filter((one) => one.effectful && one.verbClass === 'send').length === 1;
  // A generic verb says nothing: "create a …" must agree by its object, unless there is none but what the tool is about.
  const vague = agreement !== 'same' || isGeneric(verb, clause.verbClass);
  if (vague && !nounHit && !described && !onlySender && !isBareReference(clause)) return null;
  if (agreement === 'kin' && !nounHit) return null;
  return (
    (onlySender ? AGREEMENT_SCORE.same : AGREEMENT_SCORE[agreement]) +
    Math.min(objects.score, 6) * 0.7 +
    (nounHit ? 0.8 : 0) +
    (objectStems.some((one) => tool.objectStems.has(one)) ? OBJECT_BONUS : 0) +
    (isBareReference(clause) && proof.filled > 0 ? 0.6 : 0) +
    (tool.verbClass === 'prepare' && clause.verbClass !== 'prepare' && agreement !== 'same' ? -1 : 0) +
    (tool.parameters.some((one) => one.stems.has(verb) && verb !== '') ? 0.1 : 0) +
    proof.filled * 0.1
  );
}

const hasOption = (tool: Tool, stems: readonly string[]): boolean =>
  tool.parameters.some((one) => enumOf(one.item)?.some((option) => stems.includes(stem(String(option)))));

/** "Cancel WEB-12", "stop it": nothing but a code or a pronoun says what it is about. */
const isBareReference = (clause: Clause): boolean =>
  /\d/.test(clause.text) && clause.stems.length <= 3
    ? true
    : clause.stems.length === 0 || wordsOf(clause.text).some((word) => PRONOUNS.has(word) && word !== 'all');

/** Topic stems of an effect clause; "it" stands for what came before. */
export function objectStemsOf(situation: Situation, clause: Clause): string[] {
  const words = wordsOf(clause.text);
  const own = clause.stems;
  const goal = situation.goal;
  if (own.length > 0 && !words.some((word) => PRONOUNS.has(word))) return [...own];
  const before = goal.clauses.filter((one) => one.start < clause.start).flatMap((one) => one.stems);
  return [
    ...own,
    ...before,
    ...(before.length === 0 && situation.background ? contentStems(situation.background.text) : []),
  ];
}

/** The tool that does what the clause asks; more than one where its objects are several ("book the room and a car"). */
function selectEffects(situation: Situation, clause: Clause): Target[] {
  const stems = objectStemsOf(situation, clause);
  const scored = situation.tools
    .filter((tool) => tool.effectful)
    .map((tool, order) => ({ tool, order, score: effectScore(situation, tool, clause, stems) }))
    .filter(
      (one): one is { tool: Tool; order: number; score: number } => one.score !== null && one.score >= EFFECT_SCORE_MIN,
    )
    .sort((left, right) => right.score - left.score || left.order - right.order);
  const best = scored[0];
  if (!best) return [];
  if (!/\band\b|,|&/.test(clause.text) || clause.verbClass === 'send') return [{ tool: best.tool, clause }];
  const chosen = [best];
  const covered = new Set(best.tool.nouns.map(stem));
  for (const one of scored.slice(1)) {
    const fresh = one.tool.nouns.map(stem).filter((noun) => clause.stems.includes(noun) && !covered.has(noun));
    if (fresh.length === 0 || one.tool.verbClass !== best.tool.verbClass || one.tool.verb !== best.tool.verb) continue;
    chosen.push(one);
    for (const noun of one.tool.nouns) covered.add(stem(noun));
  }
  // In the order of the clause's words.
  const position = (tool: Tool): number =>
    Math.min(
      ...tool.nouns.map((noun) => {
        const at = clause.stems.indexOf(stem(noun));
        return at < 0 ? Number.MAX_SAFE_INTEGER : at;
      }),
    );
  return chosen.sort((left, right) => position(left.tool) - position(right.tool)).map(({ tool }) => ({ tool, clause }));
}

export function selectTargets(situation: Situation): Selection {
  const goal = situation.goal;
  const own = situation.ownTask.at(-1);
  const [clause] = goal.clauses;
  if (own && clause && !situation.readOnly) {
    const target = { tool: own, clause };
    return { effects: own.effectful ? [target] : [], reads: own.effectful ? [] : [target], unmatched: [] };
  }
  const effects: Target[] = [];
  const unmatched: Clause[] = [];
  const reads: Target[] = [];
  if (!situation.readOnly && !situation.amend)
    for (const clause of effectClauses(goal)) {
      const found = selectEffects(situation, clause);
      if (found.length === 0) unmatched.push(clause);
      effects.push(...found);
    }
  for (const clause of goal.clauses) {
    if (clause.effect && !situation.readOnly) continue;
    if (clause.condition || clause.negated) continue;
    const found = selectReads(situation, clause);
    for (const target of found)
      if (!reads.some((one) => one.tool === target.tool && one.clause === target.clause)) reads.push(target);
    if (clause.verbClass === 'plan')
      for (const target of selectForPlan(situation, clause, new Set(reads.map((one) => one.tool.name))))
        reads.push(target);
  }
  return { effects, reads: dedupe(reads), unmatched };
}

/** Two clauses about one thing ("Find X. It must be under 40.") call its tool once. */
function dedupe(targets: readonly Target[]): Target[] {
  return targets.filter(
    (target, index) =>
      !targets
        .slice(0, index)
        .some((one) => one.tool === target.tool && target.clause.verb === '' && !target.clause.question),
  );
}

export const isReadVerb = (clause: Clause): boolean => READ_CLASSES.has(clause.verbClass);
