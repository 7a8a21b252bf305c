/**
 * Date, time and duration expressions in English text, with their spans. Each rule is one regular expression and one
 * builder; earlier rules win a span (longest and most explicit forms first, as in Heideltime, Strötgen & Gertz 2010).
 */
import {
  addDays,
  addMinutes,
  addMonths,
  daysBetween,
  isoDate,
  isRealDate,
  type LocalNow,
  nextWeekday,
  weekdayOf,
} from './calendar-math.ts';
import { NUMBER_WORDS } from './lexicon.ts';

export interface DateMention {
  readonly kind: 'date';
  readonly start: number;
  readonly end: number;
  readonly text: string;
  readonly from: string;
  /** Last day of a range; absent for a single day. */
  readonly to?: string;
  readonly fromTime?: string;
  readonly toTime?: string;
  /** The text named a moment with zone or offset itself; kept as it was written. */
  readonly exact?: string;
}
export interface TimeMention {
  readonly kind: 'time';
  readonly start: number;
  readonly end: number;
  readonly text: string;
  readonly from: string;
  readonly to?: string;
}
export interface DurationMention {
  readonly kind: 'duration';
  readonly start: number;
  readonly end: number;
  readonly text: string;
  readonly minutes: number;
}
export type TemporalMention = DateMention | TimeMention | DurationMention;

const MONTH =
  '(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\\.?';
const DAY = '(\\d{1,2})(?:st|nd|rd|th)?';
const YEAR = '(?:,?\\s*(\\d{4}))?(?![:\\d])';
const TO = '\\s*(?:to|until|till|through|thru|and|-|–|—)\\s*';
const WEEKDAYS = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'];
const WEEKDAY = '(sunday|monday|tuesday|wednesday|thursday|friday|saturday)';
const NUMBER = `(\\d+|${Object.keys(NUMBER_WORDS).join('|')}|an?|a couple of|a few)`;
const UNIT = '(minutes?|mins?|hours?|hrs?|days?|nights?|weeks?|fortnights?|months?|years?)';
const MINUTES_PER: Record<string, number> = {
  minute: 1,
  min: 1,
  hour: 60,
  hr: 60,
  day: 1440,
  night: 1440,
  week: 10_080,
  fortnight: 20_160,
  month: 43_200,
  year: 525_600,
};
const CLOCK = '(\\d{1,2})(?:[:.h](\\d{2}))?\\s*(a\\.?m\\.?|p\\.?m\\.?)?';

const monthIndex = (name: string): number =>
  'janfebmaraprmayjunjulaugsepoctnovdec'.indexOf(name.slice(0, 3).toLowerCase()) / 3 + 1;

export function countOf(word: string): number {
  const lower = word.toLowerCase();
  if (lower === 'a' || lower === 'an') return 1;
  if (lower === 'a couple of') return 2;
  if (lower === 'a few') return 3;
  return NUMBER_WORDS[lower] ?? Number(lower);
}

type Found = { from: string; to?: string; fromTime?: string; toTime?: string; exact?: string } | null;
interface Rule {
  readonly pattern: RegExp;
  readonly build: (match: RegExpMatchArray, now: LocalNow) => Found;
}

/** A day and month without year means the next such day; one just passed in the last month stays in this year. */
const GRACE_DAYS = 31;
/** Characters between a date and its time. */
const TIME_DISTANCE_MAX = 12;
function datedNear(now: LocalNow, month: number, day: number, year: string | undefined): string | null {
  const thisYear = Number(now.date.slice(0, 4));
  const chosen = year ? Number(year) : thisYear;
  if (!isRealDate(chosen, month, day)) return null;
  const date = isoDate(chosen, month, day);
  if (year || daysBetween(date, now.date) <= GRACE_DAYS) return date;
  return isRealDate(chosen + 1, month, day) ? isoDate(chosen + 1, month, day) : null;
}

const range = (from: string | null, to: string | null): Found => {
  if (!from || !to) return null;
  return { from, to: to < from ? addMonths(to, 12) : to };
};

function shiftBy(date: string, count: number, unit: string): string {
  if (/^(?:min|hour|hr)/.test(unit)) return date;
  if (unit.startsWith('month')) return addMonths(date, count);
  if (unit.startsWith('year')) return addMonths(date, 12 * count);
  return addDays(date, count * (unit.startsWith('week') ? 7 : unit.startsWith('fortnight') ? 14 : 1));
}

const monday = (date: string): string => addDays(date, -((weekdayOf(date) + 6) % 7));
const monthRange = (first: string): Found => ({ from: first, to: addDays(addMonths(first, 1), -1) });
const instantParts = (now: LocalNow, minutes: number): { date: string; time: string } =>
  addMinutes(now.date, now.time, minutes);

const rules: readonly Rule[] = [
  {
    pattern: /\b(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2})(:\d{2}(?:\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?/g,
    build: (m) => ({ from: m[1]!, fromTime: m[2]!, ...(m[4] ? { exact: m[0] } : {}) }),
  },
  {
    pattern: new RegExp(`\\b(?:from\\s+|between\\s+)?(\\d{4}-\\d{2}-\\d{2})${TO}(\\d{4}-\\d{2}-\\d{2})\\b`, 'gi'),
    build: (m) => (m[2]! >= m[1]! ? { from: m[1]!, to: m[2]! } : null),
  },
  {
    pattern: /\b(\d{4})-(\d{2})-(\d{2})\b/g,
    build: (m) => (isRealDate(Number(m[1]), Number(m[2]), Number(m[3])) ? { from: m[0] } : null),
  },
  {
    pattern: new RegExp(
      `\\b(?:from\\s+|between\\s+)?(?:the\\s+)?${DAY}(?:\\s+(?:of\\s+)?${MONTH}${YEAR})?${TO}(?:the\\s+)?${DAY}\\s+(?:of\\s+)?${MONTH}${YEAR}`,
      'gi',
    ),
    build: (m, now) => {
      const to = datedNear(now, monthIndex(m[5]!), Number(m[4]), m[6]);
      const year = m[3] ?? (to ? to.slice(0, 4) : undefined);
      const from = datedNear(now, monthIndex(m[2] ?? m[5]!), Number(m[1]), year);
      return from && to && from > to && !m[3] ? range(addMonths(from, -12), to) : range(from, to);
    },
  },
  {
    pattern: new RegExp(
      `\\b(?:from\\s+|between\\s+)?${MONTH}\\s+(?:the\\s+)?${DAY}${YEAR}${TO}(?:${MONTH}\\s+)?(?:the\\s+)?${DAY}${YEAR}`,
      'gi',
    ),
    build: (m, now) => {
      const to = datedNear(now, monthIndex(m[4] ?? m[1]!), Number(m[5]), m[6] ?? m[3]);
      return range(datedNear(now, monthIndex(m[1]!), Number(m[2]), m[3] ?? to?.slice(0, 4)), to);
    },
  },
  {
    pattern: new RegExp(`\\b(?:the\\s+)?${DAY}\\s+(?:of\\s+)?${MONTH}${YEAR}`, 'gi'),
    build: (m, now) => single(datedNear(now, monthIndex(m[2]!), Number(m[1]), m[3])),
  },
  {
    pattern: new RegExp(`\\b${MONTH}\\s+(?:the\\s+)?${DAY}${YEAR}\\b`, 'gi'),
    build: (m, now) => single(datedNear(now, monthIndex(m[1]!), Number(m[2]), m[3])),
  },
  {
    pattern: /\b(\d{1,2})\.(\d{1,2})\.(\d{4})\b/g,
    build: (m) =>
      single(
        isRealDate(Number(m[3]), Number(m[2]), Number(m[1])) ? isoDate(Number(m[3]), Number(m[2]), Number(m[1])) : null,
      ),
  },
  {
    // Day first unless only month first makes a date: most of the world, and ISO is what tools get.
    pattern: /\b(\d{1,2})\/(\d{1,2})\/(\d{4})\b/g,
    build: (m) => {
      const [a, b, year] = [Number(m[1]), Number(m[2]), Number(m[3])];
      return single(isRealDate(year, b, a) ? isoDate(year, b, a) : isRealDate(year, a, b) ? isoDate(year, a, b) : null);
    },
  },
  { pattern: /\b(?:the )?day after tomorrow\b/gi, build: (_, now) => ({ from: addDays(now.date, 2) }) },
  { pattern: /\btomorrow\b/gi, build: (_, now) => ({ from: addDays(now.date, 1) }) },
  { pattern: /\b(?:today|tonight|this (?:morning|afternoon|evening))\b/gi, build: (_, now) => ({ from: now.date }) },
  { pattern: /\b(?:the )?day before yesterday\b/gi, build: (_, now) => ({ from: addDays(now.date, -2) }) },
  { pattern: /\byesterday\b/gi, build: (_, now) => ({ from: addDays(now.date, -1) }) },
  {
    pattern: new RegExp(
      `\\b(?:from\\s+|between\\s+)?(?:(next|this|last)\\s+)?${WEEKDAY}${TO}(?:next\\s+)?${WEEKDAY}\\b`,
      'gi',
    ),
    build: (m, now) => {
      const from = weekdayNear(now, m[2]!, m[1]);
      return range(from, nextWeekday(from, WEEKDAYS.indexOf(m[3]!.toLowerCase()), false));
    },
  },
  {
    pattern: new RegExp(`\\b(?:(next|this|last|coming)\\s+)?${WEEKDAY}(?:\\s+(next week|this week))?\\b`, 'gi'),
    build: (m, now) => ({
      from:
        m[3]?.toLowerCase() === 'next week'
          ? addDays(monday(now.date), 7 + ((WEEKDAYS.indexOf(m[2]!.toLowerCase()) + 6) % 7))
          : weekdayNear(now, m[2]!, m[1]),
    }),
  },
  {
    pattern: /\b(?:(?:this|next|the) )?weekend\b/gi,
    build: (m, now) => {
      const saturday = nextWeekday(now.date, 6, true);
      const from =
        /next/i.test(m[0]) &&
        daysBetween(now.date, saturday) < 6 - ((weekdayOf(now.date) + 6) % 7) + 1 &&
        weekdayOf(now.date) === 0
          ? addDays(saturday, 0)
          : saturday;
      return { from, to: addDays(from, 1) };
    },
  },
  {
    pattern: new RegExp(`\\b(?:the )?(?:last|past|previous)\\s+(?:${NUMBER}\\s+)?${UNIT}\\b`, 'gi'),
    build: (m, now) => {
      const unit = m[2]!.toLowerCase();
      const count = m[1] ? countOf(m[1]) : 1;
      if (/^(?:min|hour|hr)/.test(unit)) {
        const at = instantParts(now, -count * (unit.startsWith('min') ? 1 : 60));
        return { from: at.date, fromTime: at.time, to: now.date, toTime: now.time };
      }
      if (!m[1] && unit.startsWith('week'))
        return { from: addDays(monday(now.date), -7), to: addDays(monday(now.date), -1) };
      if (!m[1] && unit.startsWith('month')) return monthRange(addMonths(`${now.date.slice(0, 8)}01`, -1));
      if (!m[1] && unit.startsWith('year'))
        return { from: `${Number(now.date.slice(0, 4)) - 1}-01-01`, to: `${Number(now.date.slice(0, 4)) - 1}-12-31` };
      if (!m[1] && unit.startsWith('night')) return { from: addDays(now.date, -1) };
      return { from: shiftBy(now.date, -count, unit), to: now.date };
    },
  },
  {
    pattern: new RegExp(`\\b(?:the )?next\\s+${NUMBER}\\s+${UNIT}\\b`, 'gi'),
    build: (m, now) => {
      const unit = m[2]!.toLowerCase();
      if (/^(?:min|hour|hr)/.test(unit)) {
        const at = instantParts(now, countOf(m[1]!) * (unit.startsWith('min') ? 1 : 60));
        return { from: now.date, fromTime: now.time, to: at.date, toTime: at.time };
      }
      return { from: now.date, to: shiftBy(now.date, countOf(m[1]!), unit) };
    },
  },
  {
    pattern: new RegExp(
      `\\b(?:in|within)\\s+${NUMBER}\\s+${UNIT}(?:'?s time)?\\b|\\b${NUMBER}\\s+${UNIT}\\s+from (?:now|today)\\b`,
      'gi',
    ),
    build: (m, now) => {
      const unit = (m[2] ?? m[4])!.toLowerCase();
      const count = countOf((m[1] ?? m[3])!);
      if (/^(?:min|hour|hr)/.test(unit)) {
        const at = instantParts(now, count * (unit.startsWith('min') ? 1 : 60));
        return { from: at.date, fromTime: at.time };
      }
      return { from: shiftBy(now.date, count, unit) };
    },
  },
  {
    pattern: new RegExp(`\\b${NUMBER}\\s+${UNIT}\\s+ago\\b`, 'gi'),
    build: (m, now) => {
      const unit = m[2]!.toLowerCase();
      if (/^(?:min|hour|hr)/.test(unit)) {
        const at = instantParts(now, -countOf(m[1]!) * (unit.startsWith('min') ? 1 : 60));
        return { from: at.date, fromTime: at.time };
      }
      return { from: shiftBy(now.date, -countOf(m[1]!), unit) };
    },
  },
  {
    pattern: /\b(this|next) week\b/gi,
    build: (m, now) => {
      const from = addDays(monday(now.date), m[1]!.toLowerCase() === 'next' ? 7 : 0);
      return { from, to: addDays(from, 6) };
    },
  },
  {
    pattern: /\b(this|next) month\b/gi,
    build: (m, now) => monthRange(addMonths(`${now.date.slice(0, 8)}01`, m[1]!.toLowerCase() === 'next' ? 1 : 0)),
  },
  {
    pattern: /\b(this|next) year\b/gi,
    build: (m, now) => {
      const year = Number(now.date.slice(0, 4)) + (m[1]!.toLowerCase() === 'next' ? 1 : 0);
      return { from: `${year}-01-01`, to: `${year}-12-31` };
    },
  },
  {
    pattern: /\bend of (?:the |this )?month\b/gi,
    build: (_, now) => ({ from: addDays(addMonths(`${now.date.slice(0, 8)}01`, 1), -1) }),
  },
  {
    pattern: new RegExp(`\\b(?:in|for|during|of|since)\\s+${MONTH}(?:\\s+(\\d{4}))?(?=$|[\\s.,;?!])`, 'gi'),
    build: (m, now) => {
      const first = datedNear(now, monthIndex(m[1]!), 1, m[2]);
      return first ? monthRange(first) : null;
    },
  },
];

function single(date: string | null): Found {
  return date ? { from: date } : null;
}

function weekdayNear(now: LocalNow, name: string, which: string | undefined): string {
  const weekday = WEEKDAYS.indexOf(name.toLowerCase());
  if (which?.toLowerCase() === 'last') return addDays(nextWeekday(now.date, weekday, true), -7);
  return nextWeekday(now.date, weekday, which?.toLowerCase() === 'this');
}

function clock(hourText: string, minuteText: string | undefined, half: string | undefined): string | null {
  let hour = Number(hourText);
  const minute = Number(minuteText ?? 0);
  const suffix = half?.toLowerCase().replace(/\./g, '');
  if (suffix === 'pm' && hour < 12) hour += 12;
  if (suffix === 'am' && hour === 12) hour = 0;
  if (hour > 23 || minute > 59) return null;
  return `${String(hour).padStart(2, '0')}:${String(minute).padStart(2, '0')}`;
}

/** Blanks spans that are taken, keeping offsets. */
const mask = (text: string, start: number, end: number): string =>
  text.slice(0, start) + ' '.repeat(end - start).replace(/ /g, '\u0001') + text.slice(end);

export function findTemporal(text: string, now: LocalNow): TemporalMention[] {
  const found: TemporalMention[] = [];
  let rest = text;
  const take = (mention: TemporalMention): void => {
    found.push(mention);
    rest = mask(rest, mention.start, mention.end);
  };
  for (const rule of rules)
    for (const match of rest.matchAll(rule.pattern)) {
      const built = rule.build(match, now);
      if (built)
        take({ kind: 'date', start: match.index, end: match.index + match[0].length, text: match[0], ...built });
    }
  for (const match of rest.matchAll(
    new RegExp(
      `\\b(?:from\\s+|between\\s+)?${CLOCK}\\s*(?:to|until|till|and|-|–)\\s*${CLOCK}(?![\\d%]|\\s*(?:%|eur|usd|[a-z]{3,}))`,
      'gi',
    ),
  )) {
    if (!match[2] && !match[3] && !match[5] && !match[6]) continue;
    const half = match[3] ?? (match[6] && Number(match[1]) <= Number(match[4]) ? match[6] : undefined);
    const [from, to] = [clock(match[1]!, match[2], half), clock(match[4]!, match[5], match[6])];
    if (from && to)
      take({ kind: 'time', start: match.index, end: match.index + match[0].length, text: match[0], from, to });
  }
  for (const match of rest.matchAll(
    /\b(?:at\s+)?(\d{1,2})(?:[:.](\d{2}))?\s*(a\.?m\.?|p\.?m\.?)(?![a-z])|\b(?:at\s+)?(\d{1,2}):(\d{2})(?!\d)|\b(\d{1,2})\s*(?:o'clock|h\b)|\b(noon|midday|midnight)\b|\bat\s+(\d{1,2})(?![\d%:.,]|\s*(?:%|percent|[a-z]{3,}))/gi,
  )) {
    const from = match[7]
      ? match[7].toLowerCase() === 'midnight'
        ? '00:00'
        : '12:00'
      : clock((match[1] ?? match[4] ?? match[6] ?? match[8])!, match[2] ?? match[5], match[3]);
    if (from) take({ kind: 'time', start: match.index, end: match.index + match[0].length, text: match[0], from });
  }
  for (const match of rest.matchAll(
    new RegExp(
      `\\b(?:(half an) hour|${NUMBER}(?:\\.\\d+)?[\\s-]*(?:full\\s+)?${UNIT}|(\\d+)\\s*(min|h|m|hrs)\\b)(?:\\s+(?:and\\s+)?(?:a (half)|(\\d+)\\s*min(?:ute)?s?))?`,
      'gi',
    ),
  )) {
    const unit = (match[3] ?? match[5] ?? 'hour').toLowerCase().replace(/s$/, '');
    const per = unit === 'h' ? 60 : unit === 'm' ? 1 : (MINUTES_PER[unit] ?? 60);
    const amount = match[1] ? 0.5 : countOf((match[2] ?? match[4])!);
    const decimals = match[2] ? (match[0].match(/^\d+\.\d+/)?.[0] ?? null) : null;
    const minutes = (decimals ? Number(decimals) : amount) * per + (match[6] ? per / 2 : 0) + Number(match[7] ?? 0);
    if (Number.isFinite(minutes))
      take({ kind: 'duration', start: match.index, end: match.index + match[0].length, text: match[0], minutes });
  }
  return withSpans(
    found.sort((left, right) => left.start - right.start),
    text,
  );
}

/** "1 May 10:00 to 4 May 18:00": the time behind each date is its own. */
function timesOf(
  found: readonly TemporalMention[],
  first: DateMention,
  second: DateMention,
): { fromTime?: string; toTime?: string } {
  const times = found.filter((one): one is TimeMention => one.kind === 'time' && one.to === undefined);
  const behind = (date: DateMention, limit: number): string | undefined =>
    date.fromTime ?? times.find((one) => one.start >= date.end && one.start < limit)?.from;
  const fromTime = behind(first, second.start);
  const toTime = behind(second, second.end + TIME_DISTANCE_MAX);
  return { ...(fromTime ? { fromTime } : {}), ...(toTime ? { toTime } : {}) };
}

/** "from 12 May for 4 nights" and "on 12 May … back 16 May" are ranges too. */
function withSpans(found: TemporalMention[], text: string): TemporalMention[] {
  const dates = found.filter((one): one is DateMention => one.kind === 'date');
  const [first, second] = dates;
  if (dates.length === 1 && first && !first.to) {
    const stay = found.find(
      (one): one is DurationMention =>
        one.kind === 'duration' && one.minutes >= 1440 && /(?:night|day|week)/i.test(one.text),
    );
    if (
      stay &&
      !/\b(?:in|within|later|earlier|before|after|ago)\b/i.test(
        text.slice(Math.max(0, stay.start - 8), stay.end + 9).replace(stay.text, ''),
      )
    ) {
      const days = Math.round(stay.minutes / 1440) - (/day/i.test(stay.text) ? 1 : 0);
      return found.map((one) => (one === first ? { ...first, to: addDays(first.from, days) } : one));
    }
  }
  if (
    dates.length === 2 &&
    first &&
    second &&
    !first.to &&
    !second.to &&
    second.from > first.from &&
    /\b(?:return|back|until|till|to|end|check.?out|leav)/i.test(text.slice(first.end, second.start))
  )
    return found
      .map((one) => (one === first ? { ...first, to: second.from, ...timesOf(found, first, second) } : one))
      .filter((one) => one !== second);
  return found;
}
