/**
 * Rewriting an earlier goal by what is said about it: dates moved ("one week later"), values replaced ("make it 3", "and
 * from Munich?"), wishes appended ("direct"). Owns text to text; what has happened meanwhile is none of its business.
 */
import { addDays, addMinutes, addMonths, daysBetween } from './calendar-math.ts';
import { countOf, type DateMention, findTemporal, type TimeMention } from './dates.ts';
import { type Goal, readGoal } from './goal.ts';
import type { Mention } from './mentions.ts';
import type { Situation } from './situation.ts';

const SHIFT_VERB = /\b(?:move|shift|postpone|delay|push|reschedule|bring|advance|change|make)\b/i;
const AMOUNT =
  /\b(?:by\s+)?(\d+|an?|one|two|three|four|five|six|seven|ten|a couple of|a few)\s+(minutes?|hours?|days?|weeks?|months?|years?)\b(?:\s+(later|earlier|forward|back|forwards|backwards|ahead|before|after|sooner))?/i;
const PRONOUN = /\b(?:it|that|this|them|these|those|everything|the (?:whole )?\p{L}+)\b/iu;
/** New text of the earlier goal with its dates moved; null where the message moves nothing. */
export function shiftOf(situation: Situation, previous: string, said: string, goal: Goal): string | null {
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

export interface Modifier {
  readonly text: string;
  /** The user asks for the change of what is there ("make it …", "… instead"), and does not only add a wish. */
  readonly explicit: boolean;
}

export function modifierOf(said: string): Modifier | null {
  const text = said
    .trim()
    .replace(/[.!]+$/, '')
    .replace(/^(?:please|can you|could you|actually|no|ok|okay)[\s,]+/i, '');
  const change =
    text.match(/^(?:make|change|switch|set|update)\s+(?:it|that|this|them|the \p{L}+)\s+(?:to\s+|be\s+)?(.+)$/iu) ??
    text.match(/^(?:take|use|choose|pick|prefer)\s+(.+?)\s+instead$/i) ??
    text.match(/^(.+?)\s+instead$/i);
  if (change) return { text: change[1]!.trim(), explicit: true };
  const wish = text.match(/^(?:but\s+)?((?:only|with|without)\s+.+)$/i);
  return wish ? { text: wish[1]!.trim(), explicit: false } : null;
}

/** The modifier's own values replace those of the same kind and cue; what has no counterpart is appended. */
export function withModifier(situation: Situation, previous: string, modifier: string): string {
  return substitute(situation, previous, modifier) ?? `${previous.replace(/[.!?]+\s*$/, '')}, ${modifier}`;
}

const kindOf = (mention: Mention): string =>
  mention.kind === 'phrase' || mention.kind === 'code' ? 'name' : mention.kind;

export function substitute(situation: Situation, previous: string, said: string): string | null {
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
