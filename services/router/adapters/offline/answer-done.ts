/**
 * What was done, one paragraph an effect: who, what, when and how much from its result, and where the result is silent from
 * the call and the option that it was made with. Nothing is said as done without a result that says so.
 */

import { shortText } from './blockers.ts';
import { type Card, cardOf, type Handle, type Leaf, leavesIn } from './card.ts';
import { GO_FLAGS, PERSON_WORDS, TO_WORDS } from './lexicon.ts';
import { feeds, flatValues, type Link, linksOf } from './links.ts';
import { actOf, pastTense, sentence } from './prose.ts';
import type { Observation } from './results.ts';
import { isMoneyKey, sayMoney } from './say-value.ts';
import { isObject } from './schema.ts';
import type { Situation } from './situation.ts';
import { toolOf } from './strangers.ts';
import type { Tool } from './toolbox.ts';
import { escapeRegExp, stem } from './words.ts';

const FACTS_MAX = 5;
const FURTHER_FACTS_MAX = 4;
const ARGUMENT_LENGTH_MAX = 80;

export const negativeResult = (one: Observation): boolean =>
  isObject(one.data) && (one.data.success === false || one.data.ok === false);

/** A hold that led to a booking is not worth its own line: say the last of a chain whose values fed the next. */
export function mainEffects(situation: Situation, done: readonly Observation[]): Observation[] {
  return done.filter(
    (one, index) =>
      !done.slice(index + 1).some((later) => toolOf(situation, later.tool).verbClass !== 'undo' && feeds(one, later)),
  );
}

interface Sources {
  readonly result: Card;
  readonly given: Card;
  readonly linked: readonly Card[];
  /** A linked record of a person. */
  readonly person: string | null;
  /** Calls that found the linked rows: good for the way and the days only. */
  readonly searched: readonly Card[];
}

function sourcesOf(situation: Situation, one: Observation, tool: Tool): Sources {
  const links = linksOf([...situation.past, ...situation.observations], one);
  const own = isObject(one.data) ? leavesIn(one.data) : [];
  const given = leavesIn(
    Object.fromEntries(Object.entries(one.arguments).filter(([, value]) => !isLong(value) && value !== situation.said)),
  );
  return {
    result: cardOf(plainFor(tool, own)),
    given: cardOf(given),
    linked: links.filter((link) => !isOfPerson(situation, link)).map((link) => cardOf(leavesIn(link.row))),
    person: firstOf(links.filter((link) => isOfPerson(situation, link)).map((link) => nameIn(link))),
    searched: links
      .filter((link) => !toolOf(situation, link.observation.tool).effectful)
      .map((link) => cardOf(leavesIn(link.observation.arguments))),
  };
}

const isOfPerson = (situation: Situation, link: Link): boolean =>
  toolOf(situation, link.observation.tool).nouns.some((noun) => PERSON_WORDS.has(noun));
const nameIn = (link: Link): string | null => {
  const card = cardOf(leavesIn(link.row), { owned: false });
  return card.who ?? card.title;
};

const isLong = (value: unknown): boolean => typeof value === 'string' && value.length > ARGUMENT_LENGTH_MAX;

/** Leaves worth telling of an effect: no "restarted: yes" after "I restarted", no price where what matters is the refund. */
function plainFor(tool: Tool, leaves: readonly Leaf[]): Leaf[] {
  const money = leaves.filter((leaf) => typeof leaf.value === 'number' && isMoneyKey(leaf.words));
  const labelled = money.filter(
    (leaf) => !/^[A-Z]{3} /.test(sayMoney(leaf.words, leaf.value as number, leaf.currency)),
  );
  return leaves.filter((leaf) => {
    if (
      leaf.value === true &&
      leaf.words.length === 1 &&
      (GO_FLAGS.has(leaf.words[0]!) || /ed$|^sent$|^done$/.test(leaf.words[0]!))
    )
      return false;
    return !(tool.verbClass === 'undo' && labelled.length > 0 && money.includes(leaf) && !labelled.includes(leaf));
  });
}

const firstOf = <T>(values: readonly (T | null | undefined)[]): T | null =>
  values.find((one) => one !== null && one !== undefined) ?? null;

export function saidEffect(situation: Situation, one: Observation): string {
  const tool = toolOf(situation, one.tool);
  const all = sourcesOf(situation, one, tool);
  const cards = [all.result, all.given, ...all.linked];
  const title = firstOf(cards.map((card) => card.title));
  const when = firstOf([...cards, ...all.searched].map((card) => card.when));
  const way = firstOf([...cards, ...all.searched].map((card) => card.way));
  const money =
    tool.verbClass === 'undo' ? all.result.money : (cards.find((card) => card.money.length > 0)?.money ?? []);
  const status = [all.result.status].filter((word): word is string => word !== null && !repeatsVerb(tool, word));
  const head = headOf(tool, all, title);
  const facts = fresh(head, [head.includes(title ?? '\n') ? null : title, way, when, ...money]).slice(0, FACTS_MAX);
  const rest = fresh(`${head} ${facts.join(' ')}`, [
    ...status,
    ...(tool.verbClass === 'undo' ? [] : all.result.rest),
    ...restGiven(all, tool),
  ]).slice(0, FURTHER_FACTS_MAX);
  const text = one.data === null && one.text.trim() ? shortText(one.text) : '';
  return [
    ...sentences(head, facts, rest),
    text && !/^(?:ok|done|true|success)$/i.test(text) ? sentence(text) : '',
    handlesOf(one, tool, all, title, [...facts, ...rest].join(' ')),
  ]
    .filter(Boolean)
    .join(' ');
}

function sentences(head: string, facts: readonly string[], rest: readonly string[]): string[] {
  if (facts.length === 0)
    return [sentence(rest.length > 0 ? `${head}${rest[0]!.includes(':') ? ',' : ':'} ${rest.join(', ')}` : head)];
  return [sentence(`${head}: ${facts.join(', ')}`), rest.length > 0 ? sentence(rest.join(', ')) : ''];
}

const repeatsVerb = (tool: Tool, word: string): boolean =>
  word.toLowerCase() === pastTense(tool.verb) ||
  stem(word.toLowerCase()) === stem(tool.verb) ||
  /^(?:ok|success|succeeded|done|completed)$/i.test(word);

/** Phrases that say something new, each once. */
function fresh(before: string, phrases: readonly (string | null)[]): string[] {
  const kept: string[] = [];
  const told = (phrase: string): boolean =>
    new RegExp(`(?:^|[^\\p{L}\\p{N}])${escapeRegExp(phrase)}(?:$|[^\\p{L}\\p{N}])`, 'iu').test(
      [before, ...kept].join('\n'),
    );
  for (const phrase of phrases) if (phrase && !told(phrase)) kept.push(phrase);
  return kept;
}

/** "I booked the flight for Kim Weber", "I created the event "Budget" with maria@example.com", "I scaled the deployment search". */
function headOf(tool: Tool, all: Sources, title: string | null): string {
  const act = `I ${actOf(tool)}`;
  const own = title !== null && (title === all.given.title || title === all.result.title);
  const named = own && tool.verbClass !== 'acquire' && tool.verbClass !== 'prepare' ? withTitle(tool, act, title) : act;
  const people = peopleOf(all, tool);
  return people && !named.includes(people.replace(/^\w+ /, '')) ? `${named} ${people}` : named;
}

function withTitle(tool: Tool, act: string, title: string): string {
  if (tool.verbClass === 'undo') return act;
  const noun = tool.nouns.at(-1) ?? '';
  if (noun && title.toLowerCase().startsWith(`${noun} `)) return `${act}${title.slice(noun.length)}`;
  return ['create', 'send', 'schedule'].includes(tool.verbClass) ? `${act} "${title}"` : `${act} ${title}`;
}

/** Addresses that it went to, else the person that it is for. */
function peopleOf(all: Sources, tool: Tool): string | null {
  const addresses = all.given.rest.find((one) => /^[^\s@]+@\S+(?:, [^\s@]+@\S+)*$/.test(one));
  if (addresses) return `${tool.verbClass === 'send' ? 'to' : 'with'} ${addresses}`;
  if (tool.verbClass === 'undo') return null;
  const who = firstOf([all.result, all.given, ...all.linked].map((card) => card.who)) ?? all.person;
  return who ? `for ${who}` : null;
}

const restGiven = (all: Sources, tool: Tool): string[] =>
  all.given.rest.filter(
    (one) =>
      !one.includes('@') &&
      !(tool.verbClass === 'send' && /^(?:body|text|message|content)\b/.test(one)) &&
      !TO_WORDS.has(one),
  );

/** What the user will name it by: its reference, and the id that is new with it. */
function handlesOf(one: Observation, tool: Tool, all: Sources, title: string | null, told: string): string {
  const given = new Set(flatValues(one.arguments).map(String));
  const fresh = all.result.ids.find((handle) => !given.has(handle.value));
  const reference =
    all.result.reference ?? (tool.verbClass === 'undo' ? firstOf(all.linked.map((card) => card.reference)) : null);
  const known = [...all.result.ids, ...all.given.ids].find((handle) => given.has(handle.value));
  const needsKnown = !reference && !title && !fresh;
  const id =
    tool.verbClass === 'undo'
      ? needsKnown || !reference
        ? (known ?? fresh)
        : undefined
      : (fresh ?? (needsKnown ? known : undefined));
  const parts = [reference, id].filter((handle): handle is Handle => !!handle && !told.includes(handle.value));
  const [first, second] = parts;
  if (!first) return '';
  return sentence(
    `${labelOf(first, tool)}: ${first.value}${second ? ` (${labelOf(second, tool)} ${second.value})` : ''}`,
  );
}

const labelOf = (handle: Handle, tool: Tool): string =>
  handle.label === 'id' ? `${tool.nouns.at(-1) ?? ''} id`.trim() : handle.label;
