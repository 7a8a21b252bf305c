/**
 * Which tools a goal calls for. A clause is a query against the tools as documents (BM25's IDF over the toolset, fields
 * weighted), with the verb's class and the arguments that the text can fill as further evidence. Owns the thresholds.
 */
import { fillFromText, namesIn } from './arguments.ts';
import { answeringSentences } from './citations.ts';
import { type Clause, effectClauses } from './goal.ts';
import { PERSON_WORDS, PRONOUNS, READ_CLASSES, RELATED_CLASSES } from './lexicon.ts';
import type { Situation } from './situation.ts';
import type { Tool } from './toolbox.ts';
import { contentStems, inverseDocumentFrequency, related, stem, wordsOf } from './words.ts';

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
  return Math.max(direct, named, described);
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
): { filled: number; required: number; strong: number } {
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
    tool.nouns.some((noun) => words.has(`${noun}s`) || words.has(noun.replace(/y$/, 'ies')))
      ? 0.5
      : 0;
  return {
    score:
      score +
      verb +
      plural +
      (tool.checks && /^\W*(?:am|is|are|do|does|can|have|has|will)\b/i.test(clause.text) ? 0.5 : 0) +
      proof.strong * 1.1 +
      (proof.required > 0 ? (proof.filled / proof.required) * 0.8 : 0.1) -
      Math.min(open, 3) * 0.15,
    terms,
  };
}

/** Words implied by what the text mentions, so that "250 USD" finds a currency tool. */
function impliedStems(situation: Situation, clause: Clause): string[] {
  const inside = situation.goal.mentions.filter((one) => one.start >= clause.start && one.start < clause.end);
  return inside.some((one) => one.kind === 'currency') ? ['currency', 'convert', 'exchange'].map(stem) : [];
}

function selectReads(situation: Situation, clause: Clause): Target[] {
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
      /^\W*(?:how much|what|which|who|where|are there|is there|do you have|any)\b/i.test(clause.text) ||
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

function verbalScore(situation: Situation, tool: Tool, clause: Clause, objectStems: readonly string[]): number | null {
  const verb = stem(clause.verb.split(' ')[0] ?? '');
  const opening = stem(contentStems(tool.definition.description)[0] ?? '');
  const sameVerb =
    verb !== '' &&
    (stem(tool.verb) === verb ||
      opening === verb ||
      (tool.nameStems.has(verb) && !(tool.verbClass === 'undo' && clause.verbClass !== 'undo')));
  const synonym =
    verb !== '' &&
    !sameVerb &&
    (related(stem(tool.verb), verb) || [...tool.nameStems].some((one) => related(one, verb)));
  const sameClass = tool.verbClass === clause.verbClass;
  const relatedClass = RELATED_CLASSES[clause.verbClass]?.includes(tool.verbClass) ?? false;
  if (tool.verbClass === 'undo' && clause.verbClass !== 'undo' && !sameVerb) return null;
  if (
    clause.verbClass === 'undo' &&
    tool.verbClass !== 'undo' &&
    !sameVerb &&
    !(tool.verbClass === 'operate' || tool.verbClass === 'update')
  )
    return null;
  const described = verb !== '' && tool.descriptionStems.has(verb);
  if (
    !sameVerb &&
    !synonym &&
    !sameClass &&
    !(relatedClass && (described || tool.verbClass !== 'prepare')) &&
    !described
  )
    return null;
  const objects = lexicalScore(situation, tool, objectStems);
  const nouns = new Set(tool.nouns.map(stem));
  const nounHit =
    (verb !== '' && [...nouns].some((noun) => related(noun, verb)) && !sameVerb) ||
    objectStems.some((one) => nouns.has(one) || [...nouns].some((noun) => related(noun, one)));
  const described2 = objectStems.some((one) => tool.descriptionStems.has(one));
  const onlySender =
    sameClass &&
    clause.verbClass === 'send' &&
    situation.tools.filter((one) => one.effectful && one.verbClass === 'send').length === 1;
  const base =
    sameVerb || onlySender ? 2.5 : synonym && tool.verbClass !== 'undo' ? 1.8 : sameClass ? 1.5 : described ? 1.8 : 0.4;
  if (!nounHit && !described2 && !sameVerb && !(sameClass && synonym) && !(sameClass && clause.verbClass === 'send'))
    return null;
  // Verbs that only agree by kin need the object to agree by name.
  if (!sameVerb && !synonym && !sameClass && !nounHit) return null;
  return (
    base +
    Math.min(objects.score, 6) * 0.7 +
    (nounHit ? 0.8 : 0) +
    (tool.verbClass === 'prepare' && clause.verbClass !== 'prepare' ? -1 : 0) +
    evidence(situation, tool, clause).filled * 0.1
  );
}

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
