/**
 * Which tool does what a clause asks for. Owns the caution: the verbs must mean the same act (`verbs.ts`), and where a verb
 * says nothing by itself, the objects must agree.
 */
import { objectPhrase } from './free-text.ts';
import type { Clause } from './goal.ts';
import { ORDINAL_WORDS, PRONOUNS, RELATED_CLASSES, type VerbClass } from './lexicon.ts';
import { enumOf } from './schema.ts';
import type { Situation } from './situation.ts';
import { evidence, lexicalScore, namedInText, type Target } from './tool-score.ts';
import type { Tool } from './toolbox.ts';
import { areOpposite, isGeneric, isGenericPair, particlesClash, sameAct } from './verbs.ts';
import { akin, contentStems, related, stem, wordsOf } from './words.ts';

/** What the description's verb acts upon counts more than what else it mentions. */
const OBJECT_BONUS = 0.6;
const EFFECT_SCORE_MIN = 2.4;

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
  if (tool.ownVerbs.some((one) => wordsMeant(clause, wish).some((verb) => sameAct(verb, one)))) return 'synonym';
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

/** "Turn it off" disables or stops it. */
function wordsMeant(clause: Clause, wish: string): string[] {
  if (!/^(?:turn|switch)$/.test(wish)) return [wish];
  const particle = wordsOf(clause.text).find((word) => word === 'on' || word === 'off');
  return particle === 'on' ? [wish, 'enable', 'start'] : particle === 'off' ? [wish, 'disable', 'stop'] : [wish];
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
  /\d|\w[._-]\w/.test(clause.text) && clause.stems.length <= 3
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
export function selectEffects(situation: Situation, clause: Clause): Target[] {
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
