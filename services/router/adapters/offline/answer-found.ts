/**
 * What was found: lists as a few bullets with what tells the rows apart, single results and passed checks in a sentence.
 * Owns which results are news to the reader; what only fed a later call is not.
 */
import { boundsOn, choiceOf, cited, limitsOn, rowsOf, sayBounds } from './bounds.ts';
import { cardOf, leavesIn } from './card.ts';
import { type Choice, preferenceIn } from './choose.ts';
import { boundGiven, givenOf } from './given.ts';
import { PERSON_WORDS } from './lexicon.ts';
import { feeds, flatValues, identifies } from './links.ts';
import { joinWords, sayDatum, sayKey, sayList, sayRecord, sentence } from './prose.ts';
import { isEmptyResult, mainList, type Observation } from './results.ts';
import { pluralOf, sayCount } from './say-value.ts';
import { isObject } from './schema.ts';
import type { Situation } from './situation.ts';
import { toolOf } from './strangers.ts';
import type { Tool } from './toolbox.ts';
import { capitalize, contentStems, splitIdentifier, stem } from './words.ts';

const NUMBER_TAKEN_MIN = 1_000;
const ROWS_REJECTED_MAX = 3;

export interface FoundOptions {
  /** Something was done: what was found comes beside it. */
  readonly done: boolean;
  readonly refused: boolean;
}

export const nounOf = (tool: Tool): string => tool.nouns.at(-1) ?? 'result';

/** Results that the answer is about and that the lines before have not said yet. */
export function findings(situation: Situation, options: FoundOptions): string[] {
  const seen = situation.observations.filter((one) => !one.isError && !toolOf(situation, one.tool).effectful);
  const told = latest(seen).filter((one) => isNews(situation, one, options));
  const lines: string[] = [];
  for (const one of [
    ...told.filter((each) => asksFor(situation, each)),
    ...told.filter((each) => !asksFor(situation, each)),
  ]) {
    const also = options.done || lines.some((line) => line.startsWith('I found'));
    lines.push(sayOne(situation, one, { ...options, done: also }, seen.length > 1 || options.done));
  }
  // Sentences before lists.
  const said = [...new Set(lines.filter(Boolean))];
  return [...said.filter((line) => !line.includes('\n')), ...said.filter((line) => line.includes('\n'))];
}

/** The goal names what this result is about: it comes before what was looked up beside it. */
const asksFor = (situation: Situation, one: Observation): boolean =>
  toolOf(situation, one.tool).nouns.some((noun) => situation.goal.stems.has(stem(noun)));

function isNews(situation: Situation, one: Observation, options: FoundOptions): boolean {
  const used = situation.observations.some(
    (later) =>
      later.index > one.index &&
      (feeds(one, later) || takesNumber(one, later) || rowsOf(one).some((row) => identifies(row, later))),
  );
  if (used) return directlyAsked(situation, one) && !options.done && !options.refused;
  return true;
}

const takesNumber = (one: Observation, later: Observation): boolean =>
  flatValues(one.data).some(
    (value) => typeof value === 'number' && value >= NUMBER_TAKEN_MIN && flatValues(later.arguments).includes(value),
  );

const directlyAsked = (situation: Situation, one: Observation): boolean =>
  mainList(one.data) === null &&
  situation.goal.clauses.some(
    (clause) =>
      !clause.effect &&
      clause.stems.some((term) => toolOf(situation, one.tool).nouns.some((noun) => stem(noun) === term)),
  );

/** One result per call: a repeated call's last. */
const latest = (seen: readonly Observation[]): Observation[] =>
  seen.filter(
    (one, index) =>
      !seen
        .slice(index + 1)
        .some((later) => later.tool === one.tool && JSON.stringify(later.arguments) === JSON.stringify(one.arguments)),
  );

function sayOne(situation: Situation, one: Observation, options: FoundOptions, headed: boolean): string {
  const tool = toolOf(situation, one.tool);
  if (options.refused && (tool.checks || tool.aboutCalendar) && !isClear(one)) return '';
  if (tool.aboutCalendar && isClear(one)) return sayFree(one);
  if (isNothing(one)) return options.refused ? '' : sayNothing(situation, one);
  // Where nothing came of it, only what the user can choose from is worth telling.
  if (options.refused && (rowsOf(one).length === 0 || tool.nouns.some((noun) => PERSON_WORDS.has(noun)))) return '';
  const list = rowsOf(one);
  if (list.length > 1 || (list.length === 1 && isObject(one.data) && Object.keys(one.data).length === 1))
    return sayRows(situation, one, options, headed);
  return sayDetails(situation, one, headed);
}

/** An empty list, whatever message comes with it. */
export const isNothing = (one: Observation): boolean =>
  isEmptyResult(one) ||
  (!one.isError && isObject(one.data) && Object.values(one.data).every((value) => value === null)) ||
  (!one.isError &&
    isObject(one.data) &&
    mainList(one.data)?.length === 0 &&
    messageOf(one) !== null &&
    !Object.values(one.data).some((value) => value === true));

/** The tool's own words on why there is nothing. */
export const messageOf = (one: Observation): string | null => {
  const hit = isObject(one.data)
    ? Object.entries(one.data).find(
        ([key, value]) => /^(?:message|reason|note|detail)$/i.test(key) && typeof value === 'string' && value !== '',
      )
    : undefined;
  return hit ? String(hit[1]) : null;
};

export function sayNothing(situation: Situation, one: Observation): string {
  const tool = toolOf(situation, one.tool);
  const limits = limitsOn(situation, one);
  const given = givenOf(one, (key, value) => {
    const limit = limits.find((each) => each.value === value && each.currency !== '');
    return limit ? `${boundGiven(key, value, limit.currency)}${cited(limit.passage)}` : null;
  }).phrases;
  const message = messageOf(one);
  if (message) return sentence(message);
  return `I found no ${pluralOf(nounOf(tool), 0)}${given.length > 0 ? ` for ${given.join(', ')}` : ''}.`;
}

/** A look into a calendar that shows nothing in the way. */
const isClear = (one: Observation): boolean => {
  if (one.isError || !isObject(one.data)) return Array.isArray(one.data) && one.data.length === 0;
  const values = Object.values(one.data);
  return (
    !values.includes(false) && values.every((value) => value === true || (Array.isArray(value) && value.length === 0))
  );
};

function sayFree(one: Observation): string {
  const { when } = givenOf(one);
  const others = flatValues(one.arguments).filter(
    (value): value is string => typeof value === 'string' && value.includes('@'),
  );
  const range = when ? (/ to /.test(when) && !/,/.test(when) ? ` from ${when}` : ` on ${when}`) : '';
  return others.length > 0
    ? `${joinWords(others)} ${others.length > 1 ? 'are' : 'is'} free${range}.`
    : `Your calendar is free${range}.`;
}

const firstAsked = (situation: Situation): ((key: string) => boolean) => {
  const question = new Set([...situation.goal.stems, ...(situation.background?.stems ?? [])]);
  return (key) => splitIdentifier(key).some((word) => question.has(stem(word)));
};

/** The goal names this one among the rows, by more than the word for all of them ("hotel"). */
function isPointedAt(situation: Situation, tool: Tool, choice: Choice): boolean {
  if (choice.preference.startsWith('number ')) return true;
  if (choice.preference !== 'best match' || !choice.chosen) return false;
  const common = new Set(tool.nouns.map(stem));
  const named = contentStems(sayRecord(choice.chosen, { fieldsMax: 1 })).filter((word) => !common.has(word));
  const others = rowsNamed(situation, choice.chosen);
  return named.some((word) => situation.goal.stems.has(word) && !others.every((name) => name.has(word)));
}

/** Words of the names of all rows that came with this one. */
const rowsNamed = (situation: Situation, chosen: Record<string, unknown>): Set<string>[] =>
  situation.observations
    .map(rowsOf)
    .filter((rows) => rows.includes(chosen))
    .flat()
    .map((row) => new Set(contentStems(sayRecord(row, { fieldsMax: 1 }))));

function sayRows(situation: Situation, one: Observation, options: FoundOptions, headed: boolean): string {
  const tool = toolOf(situation, one.tool);
  const list = rowsOf(one);
  const choice = choiceOf(situation, one);
  const fitting = choice ? list.filter((row) => !choice.rejected.some((each) => each.row === row)) : list;
  if (choice && !choice.chosen && choice.rejected.length > 0) return sentence(saidUnfit(situation, one));
  const bounds = boundsOn(situation, one, fitting);
  const given = givenOf(one);
  const row = { first: firstAsked(situation), known: [...Object.values(one.arguments), ...given.phrases] };
  const counts =
    /\bhow many\b/i.test(situation.goal.text) && situation.goal.stems.has(stem(nounOf(tool)))
      ? `There ${list.length === 1 ? 'is' : 'are'} ${list.length}. `
      : '';
  const pointed = preferenceIn(situation.goal) !== null || (choice !== null && isPointedAt(situation, tool, choice));
  if (choice?.chosen && pointed) {
    const which =
      choice.preference === 'best match'
        ? 'best match'
        : choice.preference.replace(/^number (\d+).*/, 'entry number $1');
    return `${counts}${sentence(`The ${which} of ${list.length} is ${sayRecord(choice.chosen, { ...row, known: [] })}${bounds.length > 0 ? `, within the limit: ${sayBounds(bounds)}` : ''}`)}`;
  }
  const scope = [
    ...(headed || bounds.length > 0
      ? given.phrases.filter((phrase) => !bounds.some((bound) => bound.text === phrase))
      : []),
    ...bounds.map((bound) => `${bound.text}${cited(bound.passage)}`),
  ];
  const left =
    fitting.length < list.length ? ` that ${fitting.length === 1 ? 'fits' : 'fit'}, out of ${list.length}` : '';
  return `${counts}I ${options.done ? 'also ' : ''}found ${sayCount(fitting.length, pluralOf(nounOf(tool), 2)).replace(/^(1) .*/, `$1 ${nounOf(tool)}`)}${left}${scope.length > 0 ? ` (${scope.join(', ')})` : ''}:\n${sayList(fitting, row)}`;
}

/** A list of which nothing is left after the limits. */
export function saidUnfit(situation: Situation, one: Observation): string {
  const choice = choiceOf(situation, one);
  if (!choice || choice.chosen || choice.rejected.length === 0) return '';
  const tool = toolOf(situation, one.tool);
  const why = choice.rejected
    .slice(0, ROWS_REJECTED_MAX)
    .map((each) => `\n- ${sayRecord(each.row, { fieldsMax: 3 })}: ${each.why}`);
  const more =
    choice.rejected.length > ROWS_REJECTED_MAX ? `\n- and ${choice.rejected.length - ROWS_REJECTED_MAX} more` : '';
  const limits = choice.limits.map(
    (limit) =>
      `${limit.field} ${limit.comparator === '<=' ? 'at most' : 'at least'} ${limit.currency ? `${limit.currency} ` : ''}${limit.value.toLocaleString('en-US')}${cited(limit.passage)}`,
  );
  return `none of the ${choice.total} ${pluralOf(nounOf(tool), choice.total)} found fits${limits.length > 0 ? ` (${joinWords(limits)})` : ''}:${why.join('')}${more}`;
}

/** One result that is no list, under what it was asked for: "Order ord_5: shipped, carrier DHL". */
function sayDetails(situation: Situation, one: Observation, headed: boolean): string {
  const tool = toolOf(situation, one.tool);
  const given = givenOf(one).phrases;
  if (one.data === null) return headed ? `${headingOf(situation, one)}: ${ended(one.text.trim())}` : one.text.trim();
  if (!isObject(one.data) && tool.verbClass === 'compute' && given.length === 1)
    return `${given[0]} = ${ended(sayDatum(one.data))}`;
  const known = [...Object.values(one.arguments).filter((value) => typeof value !== 'object'), ...given];
  const said = sayDatum(one.data, { first: firstAsked(situation), known });
  if (isObject(one.data) && cardOf(leavesIn(one.data), { known, owned: false }).title !== null)
    return ended(capitalize(said));
  const text = said || sayDatum(one.data);
  return text ? `${headingOf(situation, one)}: ${ended(text)}` : '';
}

/** What was looked up, by what the call asked for; an id only where the user named it. */
function headingOf(situation: Situation, one: Observation): string {
  const tool = toolOf(situation, one.tool);
  const given = givenOf(one).phrases;
  const named = Object.values(one.arguments).filter(
    (value) => (typeof value === 'string' || typeof value === 'number') && situation.goal.text.includes(String(value)),
  );
  const asked = given.length > 0 ? ` (${given.join(', ')})` : named.length > 0 ? ` ${named.join(', ')}` : '';
  return capitalize(`${tool.nouns.join(' ') || sayKey(one.tool)}${asked}`);
}

const ended = (text: string): string => (/[.!?…]$/.test(text) || /\n/.test(text) ? text : `${text}.`);
