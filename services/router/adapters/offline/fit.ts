/**
 * How well one mention serves one parameter (0 … 1) and the value it would give. Owns the hand-over by kind; the roles
 * (which cue makes a place an origin, which noun a number a count) are decided in `fit-*.ts`.
 */
import type { LocalNow } from './calendar-math.ts';
import { beside, type Fit } from './fit-beside.ts';
import { fitId, fitNamed, fitPerson, fitPlace, fitZone } from './fit-name.ts';
import { fitCurrency, fitMoney, fitNumber } from './fit-number.ts';
import { fitDate, fitTime, inUnit } from './fit-time.ts';
import type { Mention } from './mentions.ts';
import type { Parameter } from './parameters.ts';
import { accepts, coerce } from './schema.ts';
import { stem } from './words.ts';

export type { Fit } from './fit-beside.ts';

/** Best use of a mention for a parameter, or null. `extra` are stems of the tool's nouns. */
export function fit(parameter: Parameter, mention: Mention, now: LocalNow, extra: ReadonlySet<string>): Fit | null {
  const raw = rawFit(parameter, mention, now, extra);
  if (!raw || raw.score <= 0) return null;
  const value = coerce(raw.value, parameter.item);
  if (value === undefined || !accepts(value, parameter.item, parameter.item)) return null;
  return { ...raw, value };
}

/** `reference "Lunch"`: a quotation right behind the parameter's own name. */
const isQuotedFor = (parameter: Parameter, mention: Mention): boolean =>
  mention.kind === 'quoted' &&
  parameter.words.some(
    (word) =>
      word.length > 2 && stem(word) === mention.before.filter((one) => !/^(?:to|as|is|with|text)$/.test(one)).at(-1),
  );

function rawFit(parameter: Parameter, mention: Mention, now: LocalNow, extra: ReadonlySet<string>): Fit | null {
  if (isQuotedFor(parameter, mention)) return { score: 0.95, value: mention.text, part: 'all' };
  switch (parameter.kind) {
    case 'date':
    case 'moment':
    case 'epoch':
      return fitDate(parameter, mention, now);
    case 'time':
      return fitTime(parameter, mention);
    case 'duration':
      return mention.kind === 'duration'
        ? { score: 0.9, value: inUnit(mention.minutes, parameter), part: 'all' }
        : mention.kind === 'number' && beside(mention, parameter, new Set())
          ? { score: 0.7, value: mention.value, part: 'all' }
          : null;
    case 'money':
      return fitMoney(parameter, mention);
    case 'count':
    case 'number':
      return fitNumber(parameter, mention, extra);
    case 'percent':
      return mention.kind === 'percent'
        ? { score: 0.9, value: mention.value, part: 'all' }
        : mention.kind === 'number' && beside(mention, parameter, new Set())
          ? { score: 0.6, value: mention.value, part: 'all' }
          : null;
    case 'coordinate':
      return mention.kind === 'number' && beside(mention, parameter, new Set())
        ? { score: 0.8, value: mention.value, part: 'all' }
        : null;
    case 'currency':
      return fitCurrency(parameter, mention);
    case 'email':
      return mention.kind === 'email'
        ? {
            score: /^(?:from|sender|reply|bcc)$/.test(parameter.words[0] ?? '')
              ? 0.2
              : /^cc$/.test(parameter.words[0] ?? '')
                ? 0.3
                : 0.9,
            value: mention.text,
            part: 'all',
          }
        : null;
    case 'url':
      return mention.kind === 'url' ? { score: 0.95, value: mention.text, part: 'all' } : null;
    case 'phone':
      return mention.kind === 'phone' ? { score: 0.95, value: mention.text, part: 'all' } : null;
    case 'zone':
      return fitZone(mention);
    case 'id':
      return fitId(parameter, mention);
    case 'place':
      return fitPlace(parameter, mention);
    case 'person':
      return fitPerson(parameter, mention);
    case 'named':
      return fitNamed(parameter, mention, extra);
    case 'query':
      return mention.kind === 'quoted' ? { score: 0.9, value: mention.text, part: 'all' } : null;
    default:
      return null;
  }
}
