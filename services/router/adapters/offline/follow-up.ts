/**
 * Follow-ups: "move it one week later", "make it direct", "and from Munich?", "book the second one", a bare answer. Each is
 * rewritten into a goal that is complete in itself, so that everything else need not know about conversations. Owns the
 * rewriting and what has to be undone once the changed effect stands.
 */

import { fillFromText } from './arguments.ts';
import { addDays, addMinutes, addMonths, daysBetween } from './calendar-math.ts';
import { countOf, type DateMention, findTemporal, type TimeMention } from './dates.ts';
import { effectClauses, type Goal, readGoal } from './goal.ts';
import type { Mention } from './mentions.ts';
import type { Parameter } from './parameters.ts';
import { candidatesIn, candidatesInText, type Observation, recordsOf } from './results.ts';
import { accepts, setAt } from './schema.ts';
import type { Amendment, Situation, Turn, Undo } from './situation.ts';
import { toolOf } from './strangers.ts';
import type { Tool } from './toolbox.ts';
import { escapeRegExp, humanize, stem, wordsOf } from './words.ts';

type Kind = 'fresh' | 'answer' | 'shift' | 'modify' | 'substitute' | 'refer' | 'decline';
interface Rewrite {
  readonly kind: Kind;
  readonly text: string;
}

/** Parameters that a goal still lacks, asked of the planner itself. */
export type MissingOf = (situation: Situation, goal: Goal) => readonly Parameter[];

const ANSWER_WORDS_MAX = 16;
const MODIFIER_WORDS_MAX = 14;
const SHIFT_VERB = /\b(?:move|shift|postpone|delay|push|reschedule|bring|advance|change|make)\b/i;
const AMOUNT =
  /\b(?:by\s+)?(\d+|an?|one|two|three|four|five|six|seven|ten|a couple of|a few)\s+(minutes?|hours?|days?|weeks?|months?|years?)\b(?:\s+(later|earlier|forward|back|forwards|backwards|ahead|before|after|sooner))?/i;
const PRONOUN = /\b(?:it|that|this|them|these|those|everything|the (?:whole )?\p{L}+)\b/iu;
const REFERENCE =
  /\b(?:it|that one|this one|them|those|these|that|the (?:first|second|third|fourth|fifth|last|cheapest|other|same|\d(?:st|nd|rd|th)) (?:one|option|result)?|(?:first|second|third|fourth|fifth|last) one|the (?:booking|order|reservation|meeting|appointment|ticket|event|invoice|payment|reminder|incident|request|hold|subscription))\b/i;

/** "… that we have a dog": no pronoun. */
const CONJUNCTION = /\bthat\s+(?:we|i|you|he|she|they|it|the|there|my|our)\b/gi;

export function resolveFollowUp(situation: Situation, missingOf: MissingOf): Situation {
  // A sub-task's text is complete in itself.
  if (situation.background || situation.earlier.length === 0) return situation;
  let previous: string | null = null;
  let answered = '';
  const turns: readonly Turn[] = [...situation.earlier, { user: situation.said, observations: [], answer: '' }];
  let last: Rewrite = { kind: 'fresh', text: situation.said };
  let base: string | null = null;
  for (const turn of turns) {
    base = previous;
    last =
      previous === null
        ? { kind: 'fresh', text: turn.user }
        : rewrite(situation, previous, answered, turn.user, missingOf);
    // What was only looked up or cancelled in between does not replace the goal that "it" means.
    previous =
      last.kind === 'decline'
        ? previous
        : last.kind === 'refer' &&
            previous !== null &&
            effectClauses(readGoal(turn.user, situation.now, situation.verbs)).every(
              (one) => one.verbClass === 'undo',
            ) &&
            effectClauses(readGoal(turn.user, situation.now, situation.verbs)).length > 0
          ? previous
          : last.text;
    answered = turn.answer;
  }
  const past = [...situation.past, ...saidResults(situation)].sort((left, right) => left.index - right.index);
  const goal = readGoal(last.text, situation.now, situation.verbs);
  const next: Situation = { ...situation, past, goal };
  switch (last.kind) {
    case 'fresh':
      return next;
    case 'answer':
      return { ...next, usesPast: false };
    case 'decline':
      return { ...next, readOnly: true, refusal: 'All right, I have not done anything.' };
    case 'refer':
      return undone({
        ...next,
        usesPast: true,
        background: base ? readGoal(base, situation.now, situation.verbs) : null,
      });
    case 'substitute':
      return { ...next, readOnly: isAsking(situation.said) };
    case 'shift':
    case 'modify':
      return amended(next, last.kind);
  }
}

const isAsking = (text: string): boolean => /\?\s*$/.test(text) || /^\s*(?:and|what about|how about)\b/i.test(text);

function rewrite(
  situation: Situation,
  previous: string,
  answered: string,
  said: string,
  missingOf: MissingOf,
): Rewrite {
  const goal = readGoal(said, situation.now, situation.verbs);
  const words = wordsOf(said);
  const fresh: Rewrite = { kind: 'fresh', text: said };
  const asked = /\?[^?]{0,240}$/.test(answered);
  const effects = effectClauses(goal);
  const plainAnswer =
    goal.clauses.every((clause) => clause.verb === '' && !clause.question) && words.length <= ANSWER_WORDS_MAX;
  if (asked && /^\s*(?:no|nope|no thanks?|don['’]?t|never ?mind|forget it|stop)\b[^a-z]*$/i.test(said))
    return { kind: 'decline', text: said };
  if (asked && plainAnswer && !/^\s*(?:and|what about|how about)\b/i.test(said))
    return { kind: 'answer', text: withAnswer(situation, previous, said, missingOf) };
  const shifted = shiftOf(situation, previous, said, goal);
  if (shifted) return { kind: 'shift', text: shifted };
  const modifier = modifierOf(said);
  if (modifier && words.length <= MODIFIER_WORDS_MAX)
    return { kind: 'modify', text: withModifier(situation, previous, modifier) };
  if (
    words.length <= MODIFIER_WORDS_MAX &&
    /^\s*(?:and|what about|how about|or)\b/i.test(said) &&
    effects.length === 0
  ) {
    const substituted = substitute(
      situation,
      previous,
      said.replace(/^\s*(?:and|or)?\s*(?:what about|how about)?\s*/i, '').replace(/\?+\s*$/, ''),
    );
    if (substituted) return { kind: 'substitute', text: substituted };
  }
  if (REFERENCE.test(said.replace(CONJUNCTION, ' ')) && words.length <= 40 && !selfContained(goal))
    return { kind: 'refer', text: said };
  return fresh;
}

/** A pronoun whose noun stands in the same message ("find X and order it") refers to that. */
function selfContained(goal: Goal): boolean {
  const index = goal.clauses.findIndex((clause) => REFERENCE.test(clause.text));
  return (
    index > 0 &&
    goal.clauses.slice(0, index).some((clause) => clause.stems.length > 0) &&
    !/\b(?:booking|order|reservation|second|third|first|last) one\b/i.test(goal.clauses[index]!.text)
  );
}

function withAnswer(situation: Situation, previous: string, said: string, missingOf: MissingOf): string {
  const plain = said.trim().replace(/[.!]+$/, '');
  if (/^(?:yes|yep|yeah|sure|ok|okay|go ahead|please do|do it|correct|right)\b[^a-z]*$/i.test(plain)) return previous;
  const before = readGoal(previous, situation.now, situation.verbs);
  // "Which Maria?" – "Maria Lopez": the fuller name takes the place of the shorter.
  for (const mention of before.mentions)
    if (
      mention.kind === 'name' &&
      plain.toLowerCase().includes(mention.text.toLowerCase()) &&
      plain.length > mention.text.length &&
      plain.length < 60
    )
      return previous.replace(new RegExp(`\\b${escapeRegExp(mention.text)}\\b`), plain);
  const missing = missingOf(situation, before);
  const answerMentions = readGoal(plain, situation.now, situation.verbs).mentions;
  const temporal = answerMentions.some((one) => one.kind === 'date' || one.kind === 'time');
  const labels: string[] = [];
  let rest = plain;
  if (temporal) {
    for (const mention of answerMentions)
      if (mention.kind === 'date' || mention.kind === 'time') rest = rest.replace(mention.text, ' ');
    rest = rest
      .replace(/\b(?:from|on|to|at|between|and)\b/gi, ' ')
      .replace(/[\s,]+/g, ' ')
      .trim();
  }
  const dates = new Set(['date', 'moment', 'time', 'epoch']);
  const first = missing.find((one) => !dates.has(one.kind)) ?? (temporal ? undefined : missing[0]);
  const bare = rest.replace(/^(?:it'?s|it is|to|from|in|for|the|at|use|my|is)\s+/i, '').trim();
  if (first && bare) labels.push(`${humanize(first.name)}: ${bare.includes(';') ? JSON.stringify(bare) : bare}`);
  return [previous.replace(/[.!?]+\s*$/, ''), ...(temporal || !first ? [plain] : []), ...labels].join('; ');
}

/** New text of the earlier goal with its dates moved; null where the message moves nothing. */
function shiftOf(situation: Situation, previous: string, said: string, goal: Goal): string | null {
  if (
    !SHIFT_VERB.test(said) &&
    !/^\s*(?:\p{L}+\s+){0,3}(?:later|earlier)\b/iu.test(said) &&
    !/\b(?:week|day|month|hour)s?\s+(?:later|earlier)\b/i.test(said)
  )
    return null;
  const clause = goal.clauses.find((one) => SHIFT_VERB.test(one.text)) ?? goal.clauses[0];
  if (
    !clause ||
    (!PRONOUN.test(said) && !/\b(?:later|earlier)\b/i.test(said)) ||
    goal.mentions.some(
      (one) =>
        one.kind === 'quoted' || one.kind === 'identifier' || (one.kind === 'name' && !previous.includes(one.text)),
    )
  )
    return null;
  const base = findTemporal(previous, situation.now);
  const dates = base.filter((one): one is DateMention => one.kind === 'date');
  const times = base.filter((one): one is TimeMention => one.kind === 'time');
  const amount = said.match(AMOUNT);
  const direction = amount?.[3]?.toLowerCase() ?? '';
  if (amount && (direction || /\b(?:by|postpone|delay|push|forward|back)\b/i.test(said))) {
    const back =
      /^(?:earlier|before|sooner)$/.test(direction) ||
      (/^(?:forward|forwards|ahead)$/.test(direction) && /\bbring\b/i.test(said));
    const count = countOf(amount[1]!) * (back ? -1 : 1);
    const unit = amount[2]!.toLowerCase();
    if (/^(?:min|hour)/.test(unit))
      return times.length + dates.length > 0
        ? replaceTimes(previous, dates, times, count * (unit.startsWith('min') ? 1 : 60))
        : null;
    const move = (date: string): string =>
      unit.startsWith('month')
        ? addMonths(date, count)
        : unit.startsWith('year')
          ? addMonths(date, 12 * count)
          : addDays(date, count * (unit.startsWith('week') ? 7 : 1));
    return dates.length > 0 ? replaceDates(previous, dates, move) : null;
  }
  const target = findTemporal(said, situation.now);
  const newDate = target.find((one): one is DateMention => one.kind === 'date');
  const newTime = target.find((one): one is TimeMention => one.kind === 'time');
  const first = dates[0];
  if (newDate && first) {
    const days = daysBetween(first.from, newDate.from);
    const moved =
      newDate.to && dates.length === 1
        ? replaceDates(previous, dates, (date) => (date === first.from ? newDate.from : newDate.to!))
        : replaceDates(previous, dates, (date) => addDays(date, days));
    return newTime
      ? replaceSpans(
          moved,
          findTemporal(moved, situation.now)
            .filter((one) => one.kind === 'time')
            .map((one) => ({ start: one.start, end: one.end, text: sayTime(newTime) })),
        )
      : moved;
  }
  if (newTime && times[0])
    return replaceSpans(previous, [{ start: times[0].start, end: times[0].end, text: sayTime(newTime) }]);
  return null;
}

const sayTime = (time: TimeMention): string => (time.to ? `from ${time.from} to ${time.to}` : `at ${time.from}`);

interface Span {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}
function replaceSpans(text: string, spans: readonly Span[]): string {
  return [...spans]
    .sort((left, right) => right.start - left.start)
    .reduce((out, span) => out.slice(0, span.start) + span.text + out.slice(span.end), text);
}

function replaceDates(text: string, dates: readonly DateMention[], move: (date: string) => string): string {
  return replaceSpans(
    text,
    dates.map((one) => ({
      start: one.start,
      end: one.end,
      text: one.to
        ? `from ${move(one.from)} to ${move(one.to)}`
        : one.fromTime && !one.exact
          ? `${move(one.from)} at ${one.fromTime}`
          : move(one.from),
    })),
  );
}

function replaceTimes(
  text: string,
  dates: readonly DateMention[],
  times: readonly TimeMention[],
  minutes: number,
): string {
  return replaceSpans(text, [
    ...times.map((one) => ({
      start: one.start,
      end: one.end,
      text: one.to
        ? `from ${addMinutes('2000-01-02', one.from, minutes).time} to ${addMinutes('2000-01-02', one.to, minutes).time}`
        : `at ${addMinutes('2000-01-02', one.from, minutes).time}`,
    })),
    ...dates
      .filter((one) => one.fromTime)
      .map((one) => {
        const moved = addMinutes(one.from, one.fromTime!, minutes);
        return { start: one.start, end: one.end, text: `${moved.date} at ${moved.time}` };
      }),
  ]);
}

function modifierOf(said: string): string | null {
  const text = said
    .trim()
    .replace(/[.!]+$/, '')
    .replace(/^(?:please|can you|could you|actually|no|ok|okay)[\s,]+/i, '');
  const match =
    text.match(/^(?:make|change|switch|set|update)\s+(?:it|that|this|them|the \p{L}+)\s+(?:to\s+|be\s+)?(.+)$/iu) ??
    text.match(/^(?:take|use|choose|pick|prefer)\s+(.+?)\s+instead$/i) ??
    text.match(/^(.+?)\s+instead$/i) ??
    text.match(/^(?:but\s+)?((?:only|with|without)\s+.+)$/i);
  return match ? match[1]!.trim() : null;
}

/** The modifier's own values replace those of the same kind and cue; what has no counterpart is appended. */
function withModifier(situation: Situation, previous: string, modifier: string): string {
  return substitute(situation, previous, modifier) ?? `${previous.replace(/[.!?]+\s*$/, '')}, ${modifier}`;
}

const kindOf = (mention: Mention): string =>
  mention.kind === 'phrase' || mention.kind === 'code' ? 'name' : mention.kind;

function substitute(situation: Situation, previous: string, said: string): string | null {
  const before = readGoal(previous, situation.now, situation.verbs).mentions.filter((one) => one.kind !== 'phrase');
  const fresh = readGoal(said, situation.now, situation.verbs).mentions.filter(
    (one, index, all) =>
      !(
        one.kind === 'phrase' && all.some((other, at) => at !== index && other.start < one.end && one.start < other.end)
      ),
  );
  if (fresh.length === 0) {
    // "and Munich" comes without capital or cue: one bare word stands for a name.
    return null;
  }
  const spans: Span[] = [];
  const appended: string[] = [];
  // "Make it 3" speaks of how many.
  const count = said.match(/^\s*(\d+)\s*$/)?.[1];
  if (count && !before.some((one) => one.kind === 'number'))
    return `${previous.replace(/[.!?]+\s*$/, '')}, quantity ${count}`;
  for (const mention of fresh) {
    const same = before.filter(
      (one) => kindOf(one) === kindOf(mention) && !spans.some((span) => span.start === one.start),
    );
    const target =
      same.find((one) => one.cue === mention.cue) ??
      (mention.cue === '' || mention.cue === 'about' ? same[0] : undefined) ??
      (mention.kind !== 'name' && mention.kind !== 'phrase' ? same[0] : undefined);
    const keepsCue = target && /^(?:from|between)\s/i.test(target.text) && !/^(?:from|between)\s/i.test(mention.text);
    if (target) spans.push({ start: target.start, end: target.end, text: `${keepsCue ? 'on ' : ''}${mention.text}` });
    else appended.push(`${mention.cue && mention.cue !== 'about' ? `${mention.cue} ` : ''}${mention.text}`);
  }
  const replaced = replaceSpans(previous.replace(/[.!?]+\s*$/, ''), spans);
  return appended.length > 0 ? `${replaced} ${appended.join(' ')}` : replaced;
}

/** Answers of earlier turns whose calls are not in the conversation: their text is all that is known. */
function saidResults(situation: Situation): Observation[] {
  return situation.earlier.flatMap((turn, index) =>
    turn.answer &&
    !/\b(?:did not|could not|didn't|couldn't|have not|not done|left)\b/i.test(turn.answer) &&
    !turn.observations.some((one) => !one.isError && toolOf(situation, one.tool).effectful)
      ? [
          {
            callId: `turn-${index}`,
            tool: 'earlier_answer',
            arguments: {},
            data: null,
            text: turn.answer,
            isError: false,
            past: true,
            index: index - 1_000,
          },
        ]
      : [],
  );
}

/** Effects of earlier turns that still stand, the latest first, without those that only prepared another. */
export function standingEffects(situation: Situation): Observation[] {
  const effects = situation.past.filter(
    (one) => !one.isError && one.tool !== 'earlier_answer' && toolOf(situation, one.tool).effectful,
  );
  const given = (one: Observation): string => JSON.stringify(one.arguments);
  const values = (one: Observation): string[] =>
    recordsOf(one, toolOf(situation, one.tool))
      .flatMap((record) => Object.entries(record.value))
      .filter(
        ([key, value]) =>
          /id$|reference|number|code/i.test(key) && (typeof value === 'string' || typeof value === 'number'),
      )
      .map(([, value]) => JSON.stringify(value));
  return effects
    .filter(
      (one) =>
        toolOf(situation, one.tool).verbClass !== 'undo' &&
        !effects.some(
          (later) =>
            later.index > one.index &&
            values(one).some((value) => given(later).includes(value) && !given(one).includes(value)),
        ),
    )
    .reverse();
}

function idFrom(
  situation: Situation,
  parameter: Parameter,
  effect: Observation,
): { value: unknown; score: number } | null {
  const tool = toolOf(situation, effect.tool);
  const found = [
    ...recordsOf(effect, tool).flatMap((record) => candidatesIn(record, parameter, tool.nouns)),
    ...candidatesInText(effect, parameter, tool),
  ].sort((left, right) => right.score - left.score)[0];
  return found && found.score >= 0.6 ? { value: found.value, score: found.score } : null;
}

/** The call that takes an effect back, with the id that the effect's own result gives. */
export function undoOf(situation: Situation, effect: Observation): Undo | null {
  let best: { undo: Undo; score: number } | null = null;
  for (const tool of situation.tools) {
    if (!tool.effectful || tool.verbClass !== 'undo') continue;
    const filled = identified(situation, tool, effect, (parameter) =>
      parameter.kind === 'reason' || parameter.kind === 'body' ? situation.said : undefined,
    );
    if (filled && (!best || filled.score > best.score))
      best = { undo: { tool, arguments: filled.arguments, undoes: effect }, score: filled.score };
  }
  return best?.undo ?? null;
}

function identified(
  situation: Situation,
  tool: Tool,
  effect: Observation,
  other: (parameter: Parameter) => unknown,
): { arguments: Record<string, unknown>; score: number } | null {
  const given: Record<string, unknown> = {};
  let score = 0;
  for (const parameter of tool.parameters) {
    if (parameter.kind === 'id' && (parameter.required || score === 0)) {
      const id = idFrom(situation, parameter, effect);
      if (id) {
        setAt(given, parameter.path, id.value);
        score = Math.max(score, id.score);
        continue;
      }
    }
    const value = other(parameter);
    if (value !== undefined && accepts(value, parameter.schema, parameter.schema)) setAt(given, parameter.path, value);
    else if (parameter.required) return null;
  }
  return score > 0 ? { arguments: given, score } : null;
}

/** "Cancel it" means what was done in this conversation; where nothing was, nothing may be guessed. */
function undone(situation: Situation): Situation {
  const clause = effectClauses(situation.goal).find((one) => one.verbClass === 'undo');
  if (!clause || situation.tools.length === 0 || situation.goal.mentions.some((one) => one.kind === 'identifier'))
    return situation;
  const standing = standingEffects(situation);
  const nouns = new Set(clause.stems);
  const fitting = standing.filter((one) => toolOf(situation, one.tool).nouns.some((noun) => nouns.has(stem(noun))));
  if (standing.length > 1 && /\b(?:everything|both|all|them|those|these)\b/i.test(situation.said)) {
    const undos = standing.map((one) => undoOf(situation, one)).filter((one): one is Undo => one !== null);
    if (undos.length > 0) return { ...situation, undo: undos, readOnly: true };
  }
  for (const effect of [...fitting, ...standing]) {
    const undo = undoOf(situation, effect);
    if (undo) return { ...situation, amend: { tool: undo.tool, arguments: undo.arguments } };
  }
  if (standing.length > 0 || situation.past.some((one) => one.tool === 'earlier_answer')) return situation;
  const pronoun = /\b(?:it|that|this|them|those|these)\b/i.test(situation.said) && clause.stems.length === 0;
  return pronoun
    ? {
        ...situation,
        refusal:
          'There is nothing to take back: I have done nothing in this conversation that still stands. If you mean something else, tell me which.',
      }
    : { ...situation, background: null, usesPast: false };
}

const CHANGEABLE = new Set(['date', 'moment', 'time', 'duration']);

function amended(situation: Situation, kind: 'shift' | 'modify'): Situation {
  const standing = standingEffects(situation);
  const effect = standing[0];
  // Without tools only an answer is wanted; what was decided has happened.
  if (!effect || situation.tools.length === 0) return situation;
  const amendment = kind === 'shift' || kind === 'modify' ? amendmentFor(situation, effect, kind) : null;
  if (amendment) return { ...situation, amend: amendment };
  // What one turn did is redone as a whole, so all of it has to be taken back.
  const turn = situation.earlier.find((one) =>
    one.observations.some((each) => each.callId === effect.callId && each.index === effect.index),
  );
  const together = standing.filter(
    (one) => one === effect || turn?.observations.some((each) => each.index === one.index),
  );
  const undos = together.map((one) => undoOf(situation, one)).filter((one): one is Undo => one !== null);
  if (undos.length === together.length) return { ...situation, undo: undos };
  return {
    ...situation,
    refusal: `I have left everything as it is: ${humanize(effect.tool)} has been done already, and I have no tool here to change it or take it back. Doing it again would leave both in place.`,
  };
}

function amendmentFor(situation: Situation, effect: Observation, kind: 'shift' | 'modify'): Amendment | null {
  for (const tool of situation.tools) {
    if (!tool.effectful || tool.verbClass !== 'update') continue;
    const clause = situation.goal.clauses.find((one) => one.effect) ?? situation.goal.clauses[0] ?? null;
    const source =
      kind === 'shift'
        ? situation
        : { ...situation, goal: readGoal(situation.said, situation.now, situation.verbs), background: null };
    const filling = fillFromText(source, tool, kind === 'shift' ? clause : null);
    const changes = filling.filled.filter(
      (one) =>
        one.source !== 'default' &&
        one.source !== 'fact' &&
        one.parameter.kind !== 'id' &&
        (kind === 'shift'
          ? CHANGEABLE.has(one.parameter.kind)
          : !['query', 'body', 'title', 'person', 'place'].includes(one.parameter.kind)),
    );
    if (changes.length === 0) continue;
    const byPath = new Map(changes.map((one) => [one.parameter.path.join('/'), one.value]));
    const filled = identified(situation, tool, effect, (parameter) => byPath.get(parameter.path.join('/')));
    if (filled) return { tool, arguments: filled.arguments };
  }
  return null;
}
