/** Which tools a question or a search calls for. Owns the thresholds and what is tried where no word names a tool. */
import { fillFromText, namesIn } from './arguments.ts';
import { answeringSentences } from './citations.ts';
import type { Clause } from './goal.ts';
import { PERSON_WORDS } from './lexicon.ts';
import { isInside } from './names.ts';
import { producersOf } from './producers.ts';
import type { Situation } from './situation.ts';
import { evidence, lexicalScore, namedInText, type Target } from './tool-score.ts';
import type { Tool } from './toolbox.ts';
import { related, stem, wordsOf } from './words.ts';

/** Calls that a human has to approve are the second choice for a question. */
const GUARDED_PENALTY = 0.2;
const READ_SCORE_MIN = 1.25;
const READ_TARGETS_MAX = 4;
const PLAN_TARGETS_MAX = 4;

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
export function selectForPlan(situation: Situation, clause: Clause, taken: ReadonlySet<string>): Target[] {
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
