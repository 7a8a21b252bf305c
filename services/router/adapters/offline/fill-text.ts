/** Search words, titles, messages and the like for a parameter. Nothing is composed that the user did not say. */
import type { FillOptions } from './filling.ts';
import {
  besideNoun,
  expressionFrom,
  messageFrom,
  objectPhrase,
  queryFrom,
  reasonFrom,
  topicFrom,
  trimWords,
} from './free-text.ts';
import type { Clause } from './goal.ts';
import { CUES, PERSON_WORDS } from './lexicon.ts';
import type { Mention } from './mentions.ts';
import { namesIn } from './names.ts';
import type { Parameter } from './parameters.ts';
import type { Situation } from './situation.ts';
import type { Tool } from './toolbox.ts';
import { capitalize, related, stem } from './words.ts';

const TITLE_LENGTH_MAX = 60;

/** Search words, titles, messages and the like. Nothing is composed that the user did not say. */
export function freeText(
  situation: Situation,
  tool: Tool,
  parameter: Parameter,
  clause: Clause | null,
  used: readonly Mention[],
  options: FillOptions,
  /** No other name is open that the words could be meant for. */
  alone: boolean,
): string | null {
  if (
    parameter.item.type !== undefined &&
    parameter.item.type !== 'string' &&
    !(Array.isArray(parameter.item.type) && parameter.item.type.includes('string'))
  )
    return null;
  const scope = clause ?? situation.goal.clauses[0] ?? null;
  if (!scope) return null;
  const text = situation.goal.text;
  const personal =
    tool.nouns.some((noun) => PERSON_WORDS.has(noun)) || (options.seeking ? PERSON_WORDS.has(options.seeking) : false);
  switch (parameter.kind) {
    case 'expression':
      return expressionFrom(scope.text) ?? expressionFrom(text);
    case 'reason':
      return reasonFrom(text) ?? null;
    case 'query': {
      if (options.subject) return options.subject.text;
      if (personal || options.prerequisite) {
        const name = namesIn(situation.goal.mentions, scope)[0];
        if (personal && name) return name.text;
      }
      if (options.prerequisite || scope.effect) return objectPhrase(scope) || nounBefore(situation, scope) || null;
      const query = queryFrom(scope, used, scope.start);
      return query || (parameter.required ? trimWords(scope.text) || null : null);
    }
    case 'title': {
      const topic = topicFrom(scope, text);
      if (topic) return topic.verbatim ? topic.text : tidyTitle(topic.text);
      if (!parameter.required || !tool.effectful) return null;
      const phrase = scope.text.match(
        /\b((?:a|an|the)\s+)?([\p{L}' -]{2,40}?)\s+(with\s+\p{Lu}[\p{L}'’]+(?:(?:\s+and|,)?\s+\p{Lu}[\p{L}'’]+)*)/u,
      );
      const withWhom = phrase && scope.verbClass === 'schedule' ? `${objectPhrase(scope)} ${phrase[3]}` : null;
      const quoted = situation.goal.mentions.find((one) => one.kind === 'quoted');
      const remainder = withWhom ?? quoted?.text ?? objectPhrase(scope);
      const generic =
        remainder &&
        !withWhom &&
        !quoted &&
        tool.nouns.some(
          (noun) => stem(noun) === stem(remainder.split(' ').at(-1)!) || related(stem(noun), stem(remainder)),
        );
      const purpose = withoutDates(situation, scope)
        .match(/\b(?:for|to)\s+((?!\d|me\b|us\b|him\b|her\b|them\b)\p{Ll}.+)$/u)?.[1]
        ?.replace(/[\s.?!]+$/, '');
      if (scope.verb === 'remind' && purpose) return tidyTitle(purpose);
      const message = tool.parameters.some((one) => one.kind === 'body') ? messageFrom(text) : null;
      if (message && scope.verbClass === 'send' && !quoted)
        return tidyTitle(
          message
            .slice(0, TITLE_LENGTH_MAX)
            .replace(/\s+\S*$/, (tail) => (message.length > TITLE_LENGTH_MAX ? '' : tail)),
        );
      return generic ? (purpose ? tidyTitle(purpose) : null) : remainder ? tidyTitle(remainder) : null;
    }
    case 'body': {
      const message = messageFrom(text);
      if (message) return message;
      const quotes = situation.goal.mentions.filter(
        (one) =>
          one.kind === 'quoted' &&
          !used.includes(one) &&
          !one.before.slice(-1).some((word) => /^(?:subject|titl|call|nam|entitl|topic)/.test(word)),
      );
      if (quotes.length > 0 && tool.effectful && !/title|subject|name/i.test(quotes.at(-1)!.before.join(' ')))
        return quotes.at(-1)!.text;
      if (!tool.effectful) return parameter.required ? queryFrom(scope, used, scope.start) || null : null;
      const hasTitle = tool.parameters.some((one) => one.kind === 'title');
      if (!parameter.required || hasTitle) return null;
      const added = scope.text.match(
        /\b(?:add|put|write|note|append)\s+(.+?)\s+(?:to|on|onto|in|into)\s+(?:the|my|our)\b.*$/i,
      )?.[1];
      if (added) return added.replace(/^["“']|["”']$/g, '');
      const reminder = scope.text.match(/\b(?:to|that|about)\s+(.+)$/i)?.[1]?.replace(/[.?!]+$/, '');
      return scope.verb === 'remind' || scope.verbClass === 'create'
        ? (reminder ?? (objectPhrase(scope) || null))
        : null;
    }
    case 'named': {
      if ((parameter.path.length > 1 && !parameter.requiredInParent) || (options.prerequisite && !parameter.required))
        return null;
      const own = new Set([
        ...parameter.words.filter((word) => word.length > 2 && word !== 'name' && !CUES.has(word)).map(stem),
        ...(parameter.words.includes('name') || parameter.required ? tool.nouns.map(stem) : []),
      ]);
      const value = besideNoun(scope.text, own);
      if (
        value &&
        !used.some((one) => one.start < scope.start + value.start + 1 && scope.start + value.start < one.end)
      )
        return value.value;
      if (!parameter.required || options.prerequisite) return null;
      const phrase = objectPhrase(scope);
      const own2 = new Set([...tool.nouns.map(stem), ...parameter.words.map(stem)]);
      return scope.verb &&
        alone &&
        // What something is taken from or brought to must be said as such.
        parameter.role === '' &&
        !used.some((one) => phrase.includes(one.text)) &&
        phrase &&
        phrase.split(' ').length <= 3 &&
        !phrase.split(' ').every((word) => own2.has(stem(word)))
        ? phrase
        : null;
    }
    default:
      return null;
  }
}

/** The clause without when: "to file taxes by 31 May" is about filing taxes. */
function withoutDates(situation: Situation, clause: Clause): string {
  let text = clause.text;
  for (const mention of [...situation.goal.mentions].reverse()) {
    const [start, end] = [mention.start - clause.start, mention.end - clause.start];
    if (
      (mention.kind === 'date' || mention.kind === 'time' || mention.kind === 'duration') &&
      start >= 0 &&
      end <= text.length
    )
      text = `${text.slice(0, start).replace(/\s*\b(?:by|on|at|for|from|before|until|in)\s*$/i, '')} ${text.slice(end)}`;
  }
  return text.replace(/\s+/g, ' ').trim();
}

const tidyTitle = (text: string): string =>
  capitalize(
    text
      .replace(/^(?:the|a|an|my|our)\s+/i, '')
      .replace(/[.?!]+$/, '')
      .trim(),
  );

/** "Find headphones and order them": the object of the clause before. */
function nounBefore(situation: Situation, clause: Clause): string {
  const earlier = situation.goal.clauses.filter((one) => one.start < clause.start).reverse();
  for (const one of earlier) {
    const phrase = queryFrom(
      one,
      situation.goal.mentions.filter((mention) => mention.kind === 'money' || mention.kind === 'date'),
      one.start,
    );
    if (phrase) return phrase;
  }
  return '';
}
