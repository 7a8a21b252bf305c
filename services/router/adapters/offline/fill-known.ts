/** Values that nobody said now: facts about the user, documents' words about where the user starts, schema defaults. */
import { type FactValue, valueFromFacts } from './facts.ts';
import { isPaging } from './fit-number.ts';
import { objectPhrase } from './free-text.ts';
import type { Clause } from './goal.ts';
import { PERSON_WORDS } from './lexicon.ts';
import { namesAPlace, namesIn, strangersIn } from './names.ts';
import type { Parameter } from './parameters.ts';
import { accepts, enumOf } from './schema.ts';
import type { Situation } from './situation.ts';
import { sentencesOf } from './words.ts';

/** A fact fills the user's own side only: not where the clause names somebody else whom the value would be about. */
export function fromFacts(situation: Situation, parameter: Parameter, clause: Clause | null): FactValue | null {
  const ownSide = ['id', 'person', 'email', 'phone', 'named'].includes(parameter.kind);
  const personal =
    parameter.kind !== 'id' ||
    parameter.words.some((word) => PERSON_WORDS.has(word)) ||
    PERSON_WORDS.has(parameter.entity);
  const goal = situation.background ?? situation.goal;
  if (
    ownSide &&
    personal &&
    strangersIn(goal, goal === situation.goal ? clause : null, situation.facts).some(
      (one) => !namesAPlace(situation, clause, one),
    ) &&
    parameter.kind !== 'email' &&
    parameter.kind !== 'phone'
  )
    return null;
  const nobodyElse =
    clause?.verbClass === 'acquire' &&
    namesIn(goal.mentions, clause).every((one) => !/^(?:for|with|of|to)$/.test(one.cue));
  const self = nobodyElse || /\b(?:me|my|myself|mine|i|i'd|i'm|us|our)\b/i.test(clause?.text ?? situation.goal.text);
  return valueFromFacts(situation.facts, parameter, situation.now, self);
}

/** A required place or code that a document states about where the user starts from. */
export function fromPassages(situation: Situation, parameter: Parameter): { value: unknown; fact: string } | null {
  if (!parameter.required || parameter.kind !== 'place' || parameter.role !== 'from') return null;
  const sentences = situation.passages.flatMap((passage) => sentencesOf(passage.text));
  return valueFromFacts(
    sentences.filter((one) =>
      parameter.kind === 'place' ? /\b(?:home|depart|start(?:s|ing)? (?:from|at)|based)\b/i.test(one) : true,
    ),
    parameter,
    situation.now,
  );
}

export function requiredDefault(situation: Situation, parameter: Parameter, clause: Clause | null): unknown {
  if (parameter.fallback !== undefined && accepts(parameter.fallback, parameter.schema, parameter.schema))
    return parameter.fallback;
  const options = enumOf(parameter.item);
  if (options?.length === 1 && !parameter.many) return options[0];
  if (parameter.kind === 'zone' && !parameter.many) return situation.request.timeZone;
  const person =
    parameter.kind === 'count' &&
    /^(?:passengers?|guests?|adults?|travell?ers|people|persons?|seats|quantity|qty)$/.test(
      parameter.words.at(-1) ?? '',
    );
  // "A nut" is one, "nuts" are as many as only the user knows.
  const several =
    clause?.effect === true &&
    /^(?:quantity|qty)$/.test(parameter.words.at(-1) ?? '') &&
    /[^s]s$/i.test(objectPhrase(clause).split(' ').at(-1) ?? '');
  if (person && !several && accepts(1, parameter.item, parameter.item)) return 1;
  // Paging has no meaning to the user: the smallest page that is allowed to be asked for.
  if (parameter.kind === 'count' && isPaging(parameter.words))
    return [10, parameter.item.maximum, parameter.item.minimum, 1].find((value) =>
      accepts(value, parameter.item, parameter.item),
    );
  return undefined;
}
