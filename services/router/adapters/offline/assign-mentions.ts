/**
 * Mentions to parameters: greedy over scored pairs, so that no mention serves two parameters and no value is given twice
 * under two names. Owns the thresholds' use and the penalties for words of another clause.
 */
import { type Filled, type FillOptions, SCORE_MIN_OPTIONAL, SCORE_MIN_REQUIRED } from './filling.ts';
import { fit } from './fit.ts';
import { besideNoun } from './free-text.ts';
import type { Clause, Goal } from './goal.ts';
import { CUES } from './lexicon.ts';
import type { Mention } from './mentions.ts';
import { isNaming, namesAPlace } from './names.ts';
import type { Parameter } from './parameters.ts';
import { accepts, enumOf } from './schema.ts';
import type { Situation } from './situation.ts';
import type { Tool } from './toolbox.ts';
import { stem, wordsOf } from './words.ts';

const OTHER_CLAUSE_PENALTY = 0.25;
const LIST_VALUES_MAX = 20;
const SET_BONUS = 0.4;

interface Pair {
  readonly parameter: Parameter;
  readonly mention: Mention;
  readonly score: number;
  readonly value: unknown;
  readonly key: string;
}

/** "acme/web" fills two open values in their order. */
export function splitPair(situation: Situation, open: readonly Parameter[], put: (one: Filled) => void): void {
  const pair = situation.goal.mentions.find((one) => one.kind === 'identifier' && /^[\w.-]+\/[\w.-]+$/.test(one.text));
  if (!pair || open.length !== 2) return;
  pair.text.split('/').forEach((value, index) => {
    const parameter = open[index]!;
    if (accepts(value, parameter.schema, parameter.schema))
      put({ parameter, value, source: 'text', mention: pair, score: 0.7 });
  });
}

/** "the billing service" for `service`; a name, code or quotation at that place is taken whole. */
export function namedBeside(
  situation: Situation,
  tool: Tool,
  parameter: Parameter,
  clause: Clause | null,
): { value: string; mention?: Mention } | null {
  const scope = clause ?? situation.goal.clauses[0];
  if (!scope || (parameter.path.length > 1 && !parameter.requiredInParent)) return null;
  const own = parameter.words.filter((word) => word.length > 2 && word !== 'name' && !CUES.has(word)).map(stem);
  const found = besideNoun(scope.text, new Set([...own, ...(own.length === 0 ? tool.nouns.map(stem) : [])]));
  if (!found) return null;
  const start = scope.start + found.start;
  const mention = situation.goal.mentions.find(
    (one) =>
      one.start <= start &&
      one.end > start &&
      ['name', 'identifier', 'quoted', 'code', 'email', 'date', 'number', 'money'].includes(one.kind),
  );
  if (mention && ['email', 'date', 'number', 'money'].includes(mention.kind)) return null;
  if (
    tool.parameters.some((one) =>
      enumOf(one.item)?.some((option) => String(option).toLowerCase() === found.value.toLowerCase()),
    )
  )
    return null;
  return { value: mention && mention.kind !== 'name' ? mention.text : found.value, mention };
}

const mentionKey = (mention: Mention, part: string): string => `${mention.start}:${part}`;
const overlaps = (left: Mention, right: Mention): boolean => left.start < right.end && right.start < left.end;

export interface Assignment {
  readonly situation: Situation;
  readonly goal: Goal;
  readonly tool: Tool;
  readonly clause: Clause | null;
  readonly parameters: readonly Parameter[];
  /** What is filled already: its texts are not used a second time. */
  readonly filled: ReadonlyMap<Parameter, Filled>;
  readonly put: (one: Filled) => void;
  readonly options: FillOptions;
  readonly penalty: number;
}

export function assignMentions(job: Assignment): void {
  const pairs = job.parameters
    .flatMap((parameter) => pairsFor(job, parameter))
    .sort((left, right) => right.score - left.score || left.mention.start - right.mention.start);
  const taken: Pair[] = [];
  const done = new Map<Parameter, unknown[]>();
  for (const pair of pairs) {
    const { parameter } = pair;
    const values = done.get(parameter);
    if (values && (!parameter.many || values.length >= LIST_VALUES_MAX)) continue;
    const threshold = parameter.required && !values ? SCORE_MIN_REQUIRED : SCORE_MIN_OPTIONAL;
    if (pair.score < threshold || isTaken(pair, taken)) continue;
    taken.push(pair);
    const list = [...(values ?? []), pair.value];
    const value = parameter.many ? list : pair.value;
    if (parameter.many && !accepts(value, parameter.schema, parameter.schema)) continue;
    done.set(parameter, list);
    job.put({ parameter, value, source: 'text', mention: pair.mention, score: pair.score });
  }
}

/** A part of a mention serves once, and overlapping readings of the same words exclude each other. */
const isTaken = (pair: Pair, taken: readonly Pair[]): boolean =>
  taken.some(
    (one) =>
      one.key === pair.key ||
      (overlaps(one.mention, pair.mention) && one.mention.start !== pair.mention.start) ||
      (one.mention.start === pair.mention.start && one.mention.kind !== pair.mention.kind) ||
      (one.mention.start !== pair.mention.start &&
        isName(one.parameter) &&
        isName(pair.parameter) &&
        one.value === pair.value),
  );

const isName = (parameter: Parameter): boolean => ['named', 'place', 'person', 'id'].includes(parameter.kind);

function pairsFor(job: Assignment, parameter: Parameter): Pair[] {
  const { goal, options, clause, situation } = job;
  // The noun that a bare `name`, `id` or `to` belongs to is the tool's own.
  const bare = parameter.words.length === 1 || parameter.kind === 'named';
  const extra = new Set<string>(bare ? job.tool.nouns.map(stem) : []);
  const given = new Set(
    [...job.filled.values()]
      .filter((one) => isName(one.parameter) && one.source !== 'default')
      .flatMap((one) => (Array.isArray(one.value) ? one.value : [one.value]))
      .map((one) => String(one).toLowerCase()),
  );
  return goal.mentions.flatMap((mention): Pair[] => {
    if (options.subject && isNaming(mention) && !overlaps(mention, options.subject)) return [];
    if (
      isName(parameter) &&
      (isOptionElsewhere(job.tool, parameter, mention.text) || given.has(mention.text.toLowerCase()))
    )
      return [];
    if (mention.kind === 'phrase' && isName(parameter) && speaksOfAnother(job, parameter, mention)) return [];
    if (parameter.kind === 'person' && namesAPlace(situation, clause, mention)) return [];
    const found = fit(parameter, mention, situation.now, extra);
    if (!found) return [];
    const elsewhere =
      clause !== null && (mention.start < clause.start || mention.start >= clause.end) && goal === situation.goal;
    const score =
      found.score +
      subjectBonus(parameter, mention, options) +
      (isSetTo(parameter, mention, goal.text) ? SET_BONUS : 0) -
      (elsewhere ? OTHER_CLAUSE_PENALTY : 0) -
      job.penalty +
      (parameter.required ? 0.02 : 0);
    return [{ parameter, mention, score, value: found.value, key: mentionKey(mention, found.part) }];
  });
}

/** "namespace prod" is the namespace's value with its name, not somebody else's. */
const speaksOfAnother = (job: Assignment, parameter: Parameter, mention: Mention): boolean => {
  const words = wordsOf(mention.text).map(stem);
  return job.tool.parameters.some(
    (one) =>
      one !== parameter &&
      one.words.some(
        (word) =>
          word.length > 3 &&
          words.includes(stem(word)) &&
          !parameter.words.includes(word) &&
          !job.tool.nouns.includes(word),
      ),
  );
};

/** Words that are a member of another parameter's choices name that choice. */
const isOptionElsewhere = (tool: Tool, parameter: Parameter, text: string): boolean =>
  tool.parameters.some(
    (one) =>
      one !== parameter && enumOf(one.item)?.some((option) => String(option).toLowerCase() === text.toLowerCase()),
  );

const subjectBonus = (parameter: Parameter, mention: Mention, options: FillOptions): number =>
  options.subject &&
  isNaming(mention) &&
  (['person', 'query'].includes(parameter.kind) || (parameter.kind === 'named' && parameter.words.includes('name')))
    ? 0.3
    : 0;

/** "Set the amount of the deal to 5000": the value belongs to what is set, not to what stands nearest. */
function isSetTo(parameter: Parameter, mention: Mention, text: string): boolean {
  if (mention.cue !== 'to') return false;
  const before = text.slice(0, mention.start);
  const set = before.match(
    /\b(?:set|change|update|adjust|increase|raise|lower|reduce|decrease|put|switch|bring)\s+(?:the |its |his |her |their |my |our )?([\p{L} _-]{2,40}?)(?:\s+(?:of|for|on|in)\b[^.;]*)?\s+to\s+(?:the |a )?$/iu,
  );
  return (
    set !== null &&
    wordsOf(set[1]!).some((word) => parameter.words.some((own) => own.length > 2 && stem(own) === stem(word)))
  );
}
