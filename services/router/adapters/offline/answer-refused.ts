/**
 * What was asked for and not done, with the reasons that the results give and what the user can do. Owns the reading of
 * denials; a reason is quoted, never made up.
 */

import { negativeResult } from './answer-done.ts';
import { isNothing, saidUnfit, sayNothing } from './answer-found.ts';
import { type Blocker, blockersIn, shortText, type Wanted } from './blockers.ts';
import { rowsOf, sideOf } from './bounds.ts';
import { choose } from './choose.ts';
import { givenOf } from './given.ts';
import { type Clause, effectClauses } from './goal.ts';
import { PERSON_WORDS } from './lexicon.ts';
import { infinitiveOf, joinWords, sayKey, sayRecord, sentence } from './prose.ts';
import { isEmptyResult, type Observation } from './results.ts';
import { readMoment, shortenRanges } from './say-time.ts';
import { effectScore, objectStemsOf } from './select-tools.ts';
import type { Situation } from './situation.ts';
import { toolOf } from './strangers.ts';
import { capitalize } from './words.ts';

const DENIAL =
  /\b(?:den(?:y|ied)|reject(?:ed)?|declin(?:e|ed)|not approved|refused|forbidden|not (?:allowed|permitted|authori[sz]ed)|unauthori[sz]ed|policy)\b/i;
const ROWS_ASKED_MAX = 6;

export const isDenial = (observation: Observation): boolean => observation.isError && DENIAL.test(observation.text);

function wantedByGoal(situation: Situation): Wanted {
  const mentions = [...situation.goal.mentions, ...(situation.background?.mentions ?? [])];
  const dated = mentions.find((one) => one.kind === 'date');
  const number = situation.goal.mentions.find((one) => one.kind === 'number' && one.unit !== '');
  const date = dated?.kind === 'date' ? dated : null;
  const checked = situation.observations
    .filter((one) => toolOf(situation, one.tool).aboutCalendar)
    .map((one) =>
      Object.values(one.arguments)
        .filter((value): value is string => typeof value === 'string' && /^\d{4}-\d{2}-\d{2}/.test(value))
        .sort(),
    )
    .find((one) => one.length > 0);
  return {
    quantity: number?.kind === 'number' ? number.value : null,
    amount: null,
    from: checked?.[0] ?? date?.date.from ?? null,
    to: checked?.at(-1) ?? date?.date.to ?? null,
  };
}

export function blockersSeen(situation: Situation): Blocker[] {
  const wanted = wantedByGoal(situation);
  return situation.observations.flatMap((one) => {
    const tool = toolOf(situation, one.tool);
    const blocker = tool.effectful || one.isError || isEmptyResult(one) ? null : blockersIn(one, tool, wanted);
    return blocker ? [blocker] : [];
  });
}

export function confirms(situation: Situation, one: Observation, clause: Clause): boolean {
  const tool = toolOf(situation, one.tool);
  return (
    effectScore({ ...situation, tools: [tool] }, tool, clause, objectStemsOf(situation, clause)) !== null ||
    tool.verbClass === clause.verbClass
  );
}

/** Effects that the goal asked for and that no result confirms, with the reasons that the results give. */
export function notDone(
  situation: Situation,
  done: readonly Observation[],
  effects: readonly Observation[],
): string | null {
  const asked = [
    ...effectClauses(situation.goal),
    ...(situation.background ? effectClauses(situation.background) : []),
  ];
  const open = asked.filter((clause) => !done.some((one) => confirms(situation, one, clause)));
  const failures = situation.observations.filter((one) => one.isError && !mended(situation, one));
  const failed = effects.filter((one) => failures.includes(one) || (negativeResult(one) && !one.isError));
  const wants = (open.length > 0 && !situation.readOnly) || failed.length > 0 || situation.amend !== null;
  const lines = failed.map((one) => saidFailure(situation, one));
  if (wants && !(done.length > 0 && open.length === 0)) {
    const act = open[0] && failed.length === 0 ? `I did not ${wordsOfClause(open[0])}` : null;
    const reasons = reasonsFor(situation, open.length > 0, done.length > 0);
    lines.push(...joinReasons(act, reasons));
    if (lines.length === 0 && act && failures.length === 0 && done.length === 0)
      lines.push(`${sentence(`${act}: nothing that I could find out let me go on`)}${saidWhy(situation)}`);
    if (failed.some(isDenial)) lines.push('I can try another option, or ask for approval again when you tell me to.');
    else if (reasons.length > 0 && !reasons.some((one) => one.text.endsWith('?'))) lines.push(advice(situation));
  }
  for (const one of failures.filter((each) => !failed.includes(each))) lines.push(saidReadFailure(one));
  return lines.length > 0 ? lines.join('\n') : null;
}

const mended = (situation: Situation, one: Observation): boolean =>
  situation.observations.some((other) => other.tool === one.tool && !other.isError && other.index > one.index);

/** The approver's or the tool's own reason, word for word. */
const reasonIn = (text: string): string => text.match(/\b(?:reason|because)\s*:\s*(\S[\s\S]*)$/i)?.[1] ?? text;

const ended = (text: string): string => (/[.!?…]$/.test(text) ? text : `${text}.`);

function saidFailure(situation: Situation, one: Observation): string {
  const act = infinitiveOf(toolOf(situation, one.tool));
  const text = shortText(one.text);
  return isDenial(one)
    ? `I did not ${act}, because that was not approved: ${ended(reasonIn(text))}`
    : `I could not ${act}: ${sentence(text)}`;
}

const saidReadFailure = (one: Observation): string =>
  isDenial(one)
    ? `I was not allowed to use ${sayKey(one.tool)}: ${sentence(shortText(one.text))}`
    : `${sentence(sayKey(one.tool)).slice(0, -1)} failed: ${sentence(shortText(one.text))}`;

interface Reason {
  /** Completes "I did not …: ". */
  readonly text: string;
  readonly details: readonly string[];
}

function reasonsFor(situation: Situation, open: boolean, done: boolean): Reason[] {
  const blockers = blockersSeen(situation);
  const empties = situation.observations.filter((one) => {
    const tool = toolOf(situation, one.tool);
    return (
      isNothing(one) && !tool.aboutCalendar && !tool.effectful && !blockers.some((each) => each.observation === one)
    );
  });
  const lists = situation.observations.filter((one) => {
    const tool = toolOf(situation, one.tool);
    return !one.isError && !tool.aboutCalendar && !tool.effectful;
  });
  const plain = (text: string): Reason[] => (text ? [{ text: text.replace(/[.]$/, ''), details: [] }] : []);
  return [
    ...blockers.map((one) => saidBlocker(situation, one)),
    ...empties.flatMap((one) => plain(sayNothing(situation, one))),
    ...(open && !done ? namesakes(situation).flatMap(plain) : []),
    ...(open ? lists.flatMap((one) => plain(saidUnfit(situation, one))) : []),
  ];
}

function saidBlocker(situation: Situation, one: Blocker): Reason {
  const tool = toolOf(situation, one.observation.tool);
  const details = one.details.map(shortenRanges);
  if (!tool.aboutCalendar) return { text: one.text, details };
  const { when } = givenOf(one.observation);
  const others = JSON.stringify(one.observation.arguments).includes('@');
  const whose = others ? 'the calendars are' : 'your calendar is';
  return {
    text: `${whose} not free${when ? ` ${/ to /.test(when) && !/,/.test(when) ? 'from' : 'on'} ${when}` : ''}`,
    details,
  };
}

/** "I did not …: reason", the first reason with the act, the others each on its own line. */
function joinReasons(act: string | null, reasons: readonly Reason[]): string[] {
  return reasons.map((one, index) => {
    const opening = index === 0 && act ? `${act}${/^(?:your|the) /.test(one.text) ? ', because ' : ': '}` : '';
    const text = `${opening}${opening ? one.text : capitalize(one.text)}`;
    if (one.details.length > 0) return `${text}:\n${one.details.map((detail) => `- ${detail}`).join('\n')}`;
    return /\n|[?!]$/.test(text) ? text : `${text}.`;
  });
}

/** A sub-task's own words on why it stopped. */
function saidWhy(situation: Situation): string {
  const note = situation.notes.filter((one) => /\?|\bnot\b|\bno\b/i.test(one)).at(-1);
  return note ? ` ${note}` : '';
}

export const wordsOfClause = (clause: Clause): string => {
  const text = clause.text
    .replace(/\s*\([^)]*\)/g, '')
    .replace(/^.*?\b(?=\p{L})/u, '')
    .replace(/[.?!]+$/, '')
    .replace(/:\s.*$/s, '')
    .replace(/^(?:please|then|and|also|can you|could you|i want to|i'd like to|go ahead and)\s+/gi, '')
    .trim();
  const yours = text.replace(/\bmy\b/gi, 'your').replace(/\b(?:me|I)\b/g, 'you');
  return yours.charAt(0).toLowerCase() + yours.slice(1);
};

/** What the user can do about it, from what was asked of the tools that said no. */
function advice(situation: Situation): string {
  const blockers = blockersSeen(situation);
  if (blockers.some((one) => toolOf(situation, one.observation.tool).aboutCalendar || /conflict|busy/i.test(one.text)))
    return 'You could move or drop what conflicts, or give me other dates.';
  const empty = situation.observations.filter((one) => isNothing(one));
  const given = empty.flatMap((one) => Object.entries(one.arguments));
  const ways = [
    given.some(([, value]) => readMoment(value) !== null) ? 'other dates' : '',
    given.some(([key, value]) => sideOf(key, value) !== null) ? 'another limit' : '',
  ].filter(Boolean);
  return `Tell me if I should try something else, such as ${joinWords(ways.length > 0 ? ways : ['another option', 'another amount'], 'or')}.`;
}

/** People of one name: only the user can tell which is meant. */
function namesakes(situation: Situation): string[] {
  const names = [...situation.goal.mentions, ...(situation.background?.mentions ?? [])].filter(
    (one) => one.kind === 'name',
  );
  return situation.observations.flatMap((one) => {
    const tool = toolOf(situation, one.tool);
    const rows = one.isError || tool.effectful || !tool.nouns.some((noun) => PERSON_WORDS.has(noun)) ? [] : rowsOf(one);
    if (rows.length < 2) return [];
    const name = names.find((each) => JSON.stringify(one.arguments).toLowerCase().includes(each.text.toLowerCase()));
    const choice = name ? choose(rows, situation.goal, { limits: [], subject: name.text, decisive: true }) : null;
    return name && choice && choice.ambiguous.length > 1
      ? [
          `which ${name.text} do you mean: ${joinWords(
            choice.ambiguous.slice(0, ROWS_ASKED_MAX).map((row) => sayRecord(row, { fieldsMax: 3 })),
            'or',
          )}?`,
        ]
      : [];
  });
}
