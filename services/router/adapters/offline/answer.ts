/**
 * The final answer, composed from what happened: effects with their key facts, what was not done and why, the option that
 * was taken and by which preference, what was found, and the rules relied on with citations. Reads results, never intent
 * alone: nothing is reported as done without a result that says so.
 */
import { limitsFor, rulesFor } from './applicable-rules.ts';
import { type Blocker, blockersIn, shortText, type Wanted } from './blockers.ts';
import { type Choice, choose, fieldValue, preferenceIn } from './choose.ts';
import { answeringSentences, quote } from './citations.ts';
import { type Clause, effectClauses } from './goal.ts';
import { PERSON_WORDS } from './lexicon.ts';
import { actOf, infinitiveOf, joinWords, sayDatum, sayKey, sayList, sayRecord, sayValue, sentence } from './prose.ts';
import { isEmptyResult, mainList, type Observation } from './results.ts';
import { isObject } from './schema.ts';
import { effectScore, objectStemsOf } from './select-tools.ts';
import type { Situation } from './situation.ts';
import { toolOf } from './strangers.ts';
import { contentStems, splitIdentifier, stem } from './words.ts';

const INTRODUCTION =
  "I am Tutti's built-in offline model: deterministic rules, no language model behind me. I can chain tools by their schemas, fill their arguments from our conversation, check before I act, and answer from documents with citations. For free writing or open reasoning, configure a model provider.";
const DENIAL =
  /\b(?:den(?:y|ied)|reject(?:ed)?|declin(?:e|ed)|not approved|refused|forbidden|not (?:allowed|permitted|authori[sz]ed)|unauthori[sz]ed|policy)\b/i;
const SMALL_TALK =
  /^\s*(?:hi|hello|hey|good (?:morning|afternoon|evening)|thanks?(?: you)?|thank you|cheers|bye|goodbye|who are you|what are you|what can you do|help|how are you)\b[^a-z]*(?:there|so much|a lot|very much|tutti)?\W*$/i;
const ROWS_ALTERNATIVE_MAX = 3;

export const isDenial = (observation: Observation): boolean => observation.isError && DENIAL.test(observation.text);

export function isSmallTalk(text: string): boolean {
  return (
    SMALL_TALK.test(text) ||
    /\b(?:who|what) (?:are|is) (?:you|tutti)\b|\bare you (?:an? )?(?:ai|llm|human|bot|robot|language model|real)\b|\bwhat can you (?:do|help)\b/i.test(
      text,
    )
  );
}

export function answer(situation: Situation): string {
  const seen = situation.observations;
  if (seen.length === 0 && situation.notes.length === 0) return withoutResults(situation);
  const parts: string[] = [];
  const effects = seen.filter((one) => toolOf(situation, one.tool).effectful);
  const done = effects.filter((one) => !one.isError && !negativeResult(one));
  for (const one of mainEffects(situation, done)) parts.push(saidEffect(situation, one));
  const refused = notDone(situation, done, effects);
  if (refused) parts.push(refused);
  const choice = choiceLine(situation, done);
  if (choice) parts.push(choice);
  const found = findings(situation, done, refused !== null);
  if (found) parts.push(found);
  if (parts.length === 0 && situation.notes.length > 0) parts.push(situation.notes.join('\n\n'));
  if (parts.length === 0) return withoutResults(situation);
  const relied = reliedOn(situation, effects.length > 0 || seen.some((one) => mainList(one.data) !== null));
  if (relied) parts.push(relied);
  return parts.join('\n\n');
}

const negativeResult = (one: Observation): boolean =>
  isObject(one.data) && (one.data.success === false || one.data.ok === false);

/** A hold that led to a booking is not worth its own line: say the last of a chain whose values fed the next. */
function mainEffects(situation: Situation, done: readonly Observation[]): Observation[] {
  return done.filter(
    (one, index) =>
      !done.slice(index + 1).some((later) => toolOf(situation, later.tool).verbClass !== 'undo' && feeds(one, later)),
  );
}

function feeds(earlier: Observation, later: Observation): boolean {
  const given = new Set(flatValues(later.arguments).map(String));
  const own = new Set(flatValues(earlier.arguments).map(String));
  return flatValues(earlier.data).some(
    (value) => typeof value === 'string' && value.length > 1 && given.has(value) && !own.has(value),
  );
}

const flatValues = (value: unknown, depth = 0): unknown[] =>
  typeof value !== 'object' || value === null
    ? [value]
    : depth > 6
      ? []
      : Object.values(value).flatMap((one) => flatValues(one, depth + 1));

function saidEffect(situation: Situation, one: Observation): string {
  const tool = toolOf(situation, one.tool);
  const result = one.data === null ? shortText(one.text) : sayDatum(one.data);
  const given = Object.entries(one.arguments)
    .filter(([, value]) => typeof value !== 'object' || Array.isArray(value))
    .filter(
      ([key, value]) =>
        !result.includes(String(value)) && !result.includes(sayValue(key, value, null)) && String(value).length < 120,
    )
    .slice(0, 6)
    .map(
      ([key, value]) =>
        `${sayKey(key)} ${
          Array.isArray(value)
            ? value
                .filter((each) => typeof each !== 'object')
                .map((each) => sayValue(key, each, null))
                .join(', ')
            : sayValue(key, value, null)
        }`,
    );
  const details = [result, given.length > 0 ? `(${given.join(', ')})` : ''].filter(Boolean).join(' ');
  return `Done: I ${actOf(tool)}${details ? `: ${details.replace(/[.]$/, '')}` : ''}.`;
}

function wantedByGoal(situation: Situation): Wanted {
  const dated = [...situation.goal.mentions, ...(situation.background?.mentions ?? [])].find(
    (one) => one.kind === 'date',
  );
  const number = situation.goal.mentions.find((one) => one.kind === 'number' && one.unit !== '');
  const date = dated?.kind === 'date' ? dated : null;
  const checkArguments = situation.observations
    .map((one) =>
      toolOf(situation, one.tool).aboutCalendar
        ? Object.values(one.arguments)
            .filter((value): value is string => typeof value === 'string' && /^\d{4}-\d{2}-\d{2}/.test(value))
            .sort()
        : [],
    )
    .find((one) => one.length > 0);
  return {
    quantity: number?.kind === 'number' ? number.value : null,
    amount: null,
    from: checkArguments?.[0] ?? date?.date.from ?? null,
    to: checkArguments?.at(-1) ?? date?.date.to ?? null,
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

/** Effects that the goal asked for and that no result confirms, with the reasons that the results give. */
function notDone(situation: Situation, done: readonly Observation[], effects: readonly Observation[]): string | null {
  const asked = [
    ...effectClauses(situation.goal),
    ...(situation.background ? effectClauses(situation.background) : []),
  ];
  const open = asked.filter((clause) => !done.some((one) => confirms(situation, one, clause)));
  const failures = situation.observations.filter(
    (one) =>
      one.isError &&
      !situation.observations.some((other) => other.tool === one.tool && !other.isError && other.index > one.index),
  );
  const failedEffects = effects.filter((one) => (one.isError && failures.includes(one)) || negativeResult(one));
  const blockers = blockersSeen(situation);
  const wantsEffect = (open.length > 0 && !situation.readOnly) || failedEffects.length > 0 || situation.amend !== null;
  const lines: string[] = [];
  for (const one of failedEffects) {
    const tool = toolOf(situation, one.tool);
    lines.push(
      isDenial(one)
        ? `I did not ${infinitiveOf(tool)}, because that was not approved: ${sentence(shortText(one.text))}`
        : `I could not ${infinitiveOf(tool)}: ${sentence(shortText(one.text))}`,
    );
  }
  if (wantsEffect && !(done.length > 0 && open.length === 0)) {
    const act = open[0] && failedEffects.length === 0 ? `I did not ${wordsOfClause(open[0])}` : null;
    if (blockers.length > 0) {
      const reasons = blockers.map((one) => [one.text, ...one.details.map((detail) => `\n- ${detail}`)].join(''));
      lines.push(
        `${act ?? 'In the way'}${act ? ', because of this' : ''}: ${reasons.join('; ')}${/\n/.test(reasons.at(-1)!) ? '' : '.'}`,
      );
      lines.push(advice(situation, blockers));
    }
    const empties = situation.observations.filter(
      (one) =>
        isEmptyResult(one) &&
        !toolOf(situation, one.tool).aboutCalendar &&
        !toolOf(situation, one.tool).effectful &&
        !blockers.some((each) => each.observation === one),
    );
    for (const one of empties)
      lines.push(`${act && lines.length === 0 ? `${act}: ` : ''}${nothingFound(situation, one)}`);
    const unfit = situation.observations.flatMap((one) => unfitList(situation, one));
    if (open.length > 0 && done.length === 0)
      for (const text of namesakes(situation)) lines.push(`${act && lines.length === 0 ? `${act}: ` : ''}${text}`);
    if (open.length > 0) for (const text of unfit) lines.push(`${act && lines.length === 0 ? `${act}: ` : ''}${text}`);
    if (lines.length === 0 && act && failures.length === 0 && done.length === 0)
      lines.push(`${sentence(`${act}: nothing that I could find out let me go on`)}${saidWhy(situation)}`);
  }
  for (const one of failures.filter((each) => !failedEffects.includes(each)))
    lines.push(
      `${isDenial(one) ? `I was not allowed to use ${sayKey(one.tool)}` : `${sentence(sayKey(one.tool)).slice(0, -1)} failed`}: ${sentence(shortText(one.text))}`,
    );
  return lines.length > 0 ? lines.join('\n') : null;
}

/** A sub-task's own words on why it stopped. */
function saidWhy(situation: Situation): string {
  const note = situation.notes.filter((one) => /\?|\bnot\b|\bno\b/i.test(one)).at(-1);
  return note ? ` ${note}` : '';
}

const wordsOfClause = (clause: Clause): string => {
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

export function confirms(situation: Situation, one: Observation, clause: Clause): boolean {
  const tool = toolOf(situation, one.tool);
  return (
    effectScore({ ...situation, tools: [tool] }, tool, clause, objectStemsOf(situation, clause)) !== null ||
    tool.verbClass === clause.verbClass
  );
}

function advice(situation: Situation, blockers: readonly Blocker[]): string {
  const calendar = blockers.some(
    (one) => toolOf(situation, one.observation.tool).aboutCalendar || /conflict|busy/i.test(one.text),
  );
  return calendar
    ? 'You could move or drop what conflicts, or give me other dates.'
    : 'Tell me if I should try something else, such as another option or another amount.';
}

const sayArguments = (one: Observation): string =>
  Object.entries(one.arguments)
    .filter(([, value]) => typeof value !== 'object')
    .map(([key, value]) => `${sayKey(key)} ${sayValue(key, value, null)}`)
    .join(', ');

const plural = (noun: string, count: number): string =>
  count === 1 || /s$/.test(noun)
    ? noun
    : noun.endsWith('y') && !/[aeiou]y$/.test(noun)
      ? `${noun.slice(0, -1)}ies`
      : `${noun}s`;

const nothingFound = (situation: Situation, one: Observation): string => {
  const noun = toolOf(situation, one.tool).nouns.at(-1) ?? 'result';
  const given = sayArguments(one);
  return `I found no ${plural(noun, 0)}${given ? ` with ${given}` : ''}.`;
};

function choiceOf(situation: Situation, one: Observation): Choice | null {
  const list = mainList(one.data)?.filter(isObject);
  if (!list || list.length === 0) return null;
  const clause = situation.goal.clauses.length === 1 ? situation.goal.clauses[0]! : null;
  return choose(list, situation.goal, {
    limits: limitsFor(situation, toolOf(situation, one.tool), clause),
    background: situation.background,
  });
}

/** A list of which nothing is left after the limits. */
function unfitList(situation: Situation, one: Observation): string[] {
  if (one.isError || toolOf(situation, one.tool).aboutCalendar || toolOf(situation, one.tool).effectful) return [];
  const choice = choiceOf(situation, one);
  if (!choice || choice.chosen || choice.rejected.length === 0) return [];
  const noun = toolOf(situation, one.tool).nouns.at(-1) ?? 'option';
  const why = choice.rejected
    .slice(0, ROWS_ALTERNATIVE_MAX)
    .map((each) => `\n- ${sayRecord(each.row, { fieldsMax: 5 })}: ${each.why}`);
  const bound = choice.limits.map(
    (limit) =>
      `${limit.field} ${limit.comparator === '<=' ? 'at most' : 'at least'} ${limit.value}${limit.currency ? ` ${limit.currency}` : ''}${limit.passage >= 0 ? ` [${limit.passage + 1}]` : ''}`,
  );
  return [
    `none of the ${choice.total} ${plural(noun, choice.total)} found fits${bound.length ? ` (${joinWords(bound)})` : ''}:${why.join('')}`,
  ];
}

/** People of one name: only the user can tell which is meant. */
function namesakes(situation: Situation): string[] {
  const names = [...situation.goal.mentions, ...(situation.background?.mentions ?? [])].filter(
    (one) => one.kind === 'name',
  );
  return situation.observations.flatMap((one) => {
    const tool = toolOf(situation, one.tool);
    const rows =
      one.isError || tool.effectful || !tool.nouns.some((noun) => PERSON_WORDS.has(noun))
        ? []
        : (mainList(one.data)?.filter(isObject) ?? []);
    if (rows.length < 2) return [];
    const name = names.find((each) => JSON.stringify(one.arguments).toLowerCase().includes(each.text.toLowerCase()));
    const choice = name ? choose(rows, situation.goal, { limits: [], subject: name.text, decisive: true }) : null;
    return name && choice && choice.ambiguous.length > 1
      ? [
          `which ${name.text} do you mean: ${joinWords(
            choice.ambiguous.slice(0, 6).map((row) => sayRecord(row, { fieldsMax: 3 })),
            'or',
          )}?`,
        ]
      : [];
  });
}

/** Which row of a list was acted upon, and why that one. */
function choiceLine(situation: Situation, done: readonly Observation[]): string | null {
  const lines: string[] = [];
  for (const one of situation.observations) {
    const list = one.isError ? null : mainList(one.data)?.filter(isObject);
    if (!list || list.length < 2 || toolOf(situation, one.tool).effectful) continue;
    const taken = list.find((row) =>
      situation.observations.some((later) => later.index > one.index && identifies(row, later)),
    );
    if (!taken) continue;
    const choice = choiceOf(situation, one);
    const same = choice?.chosen !== null && JSON.stringify(choice?.chosen) === JSON.stringify(taken);
    const limits = choice?.limits ?? [];
    const within =
      limits.length > 0
        ? `, within the limit of ${limits.map((limit) => `${limit.value}${limit.currency ? ` ${limit.currency}` : ''}${limit.passage >= 0 ? ` [${limit.passage + 1}]` : ''}`).join(' and ')}`
        : '';
    if (done.length > 0 || same)
      lines.push(
        `I chose ${sayRecord(taken, { fieldsMax: 7 })} out of ${list.length}${same && choice?.preference ? ` (${choice.preference}${within})` : ''}.`,
      );
  }
  return lines.length > 0 ? lines.join('\n') : null;
}

function identifies(row: Record<string, unknown>, later: Observation): boolean {
  const ids = Object.entries(row)
    .filter(
      ([key, value]) =>
        (typeof value === 'string' || typeof value === 'number') &&
        /id$|^(?:sku|code|key|number|slug|email|name|reference|symbol)$/i.test(key),
    )
    .map(([, value]) => String(value));
  const given = flatValues(later.arguments).map(String);
  return ids.some((id) => id.length > 0 && given.includes(id));
}

/** Results that the answer is about and that the lines above have not said yet. */
function findings(situation: Situation, done: readonly Observation[], refused: boolean): string | null {
  const question = new Set([...situation.goal.stems, ...(situation.background?.stems ?? [])]);
  const first = (key: string): boolean => splitIdentifier(key).some((word) => question.has(stem(word)));
  const seen = situation.observations.filter((one) => !one.isError && !toolOf(situation, one.tool).effectful);
  const used = (one: Observation): boolean =>
    situation.observations.some(
      (later) =>
        later.index > one.index &&
        (feeds(one, later) ||
          flatValues(one.data).some(
            (value) => typeof value === 'number' && value > 999 && flatValues(later.arguments).includes(value),
          )),
    );
  const lines: string[] = [];
  for (const one of latest(seen)) {
    const tool = toolOf(situation, one.tool);
    const wanted = (done.length === 0 && !refused) || !used(one);
    if ((used(one) && !directlyAsked(situation, one)) || !wanted) continue;
    if (isEmptyResult(one)) {
      if (!refused && !tool.checks) lines.push(nothingFound(situation, one));
      else if (tool.aboutCalendar && list0(one))
        lines.push(`No conflicting entries${sayArguments(one) ? ` (${sayArguments(one)})` : ''}.`);
      continue;
    }
    if (refused && tool.checks) continue;
    lines.push(sayFinding(situation, one, first, seen.length > 1 || done.length > 0));
  }
  return lines.length > 0 ? lines.join('\n\n') : null;
}

const list0 = (one: Observation): boolean => mainList(one.data)?.length === 0;
const directlyAsked = (situation: Situation, one: Observation): boolean =>
  situation.goal.clauses.some(
    (clause) =>
      !clause.effect &&
      clause.stems.some((term) => toolOf(situation, one.tool).nouns.some((noun) => stem(noun) === term)),
  ) && mainList(one.data) === null;

/** One result per call: a repeated call's last. */
const latest = (seen: readonly Observation[]): Observation[] =>
  seen.filter(
    (one, index) =>
      !seen
        .slice(index + 1)
        .some((later) => later.tool === one.tool && JSON.stringify(later.arguments) === JSON.stringify(one.arguments)),
  );

function sayFinding(situation: Situation, one: Observation, first: (key: string) => boolean, headed: boolean): string {
  const tool = toolOf(situation, one.tool);
  const given = sayArguments(one);
  const label = sentence(
    `${[...tool.nouns].join(' ') || sayKey(one.tool)}${given && headed ? ` (${given})` : ''}`,
  ).slice(0, -1);
  if (one.data === null) return headed ? `${label}: ${sentence(one.text.trim())}` : one.text.trim();
  const list = mainList(one.data)?.filter(isObject) ?? null;
  if (list && (list.length > 1 || (list.length === 1 && isObject(one.data) && Object.keys(one.data).length === 1))) {
    const choice = choiceOf(situation, one);
    const preference = preferenceIn(situation.goal);
    const fitting = choice ? list.filter((row) => !choice.rejected.some((each) => each.row === row)) : list;
    const counts = /\bhow many\b/i.test(situation.goal.text)
      ? `There ${list.length === 1 ? 'is' : 'are'} ${list.length}. `
      : '';
    const bounds = choice
      ? joinWords(
          choice.limits.map(
            (limit) =>
              `${limit.comparator === '<=' ? 'at most' : 'at least'} ${limit.value}${limit.currency ? ` ${limit.currency}` : ''}${limit.passage >= 0 ? ` [${limit.passage + 1}]` : ''}`,
          ),
        )
      : '';
    const scope = bounds
      ? `, ${fitting.length === list.length ? '' : `of ${list.length} `}within the limit (${bounds})`
      : '';
    if (choice?.chosen && (preference || choice.preference === 'best match' || choice.preference.startsWith('number ')))
      return `${counts}${sentence(`The ${choice.preference === 'best match' ? 'best match' : choice.preference.replace(/^number (\d+).*/, 'entry number $1')} is ${sayRecord(choice.chosen, { first })}${scope}`)}`;
    if (choice && !choice.chosen && choice.rejected.length > 0)
      return sentence(unfitList(situation, one)[0] ?? 'nothing fits');
    return `${counts}I found ${fitting.length} ${plural(tool.nouns.at(-1) ?? 'result', fitting.length)}${given && headed ? ` (${given})` : ''}${scope}:\n${sayList(fitting, { first })}`;
  }
  const said = sayDatum(headed ? withoutGiven(one) : one.data, { first });
  return headed ? `${label}: ${sentence(said)}` : sentence(said);
}

function withoutGiven(one: Observation): unknown {
  if (!isObject(one.data)) return one.data;
  const given = Object.values(one.arguments);
  const rest = Object.fromEntries(
    Object.entries(one.data).filter(
      ([, value]) => typeof value === 'object' || typeof value === 'boolean' || !given.includes(value),
    ),
  );
  return Object.keys(rest).length > 0 ? rest : one.data;
}

/** Rules and passages that the act or the question rests on, each with its clause. */
function reliedOn(situation: Situation, acted: boolean): string | null {
  if (situation.passages.length === 0) return null;
  const lines = new Map<string, string>();
  if (acted)
    for (const one of situation.observations) {
      const tool = toolOf(situation, one.tool);
      const clause = situation.goal.clauses[0] ?? null;
      if (tool.verbClass === 'undo') continue;
      const rows = mainList(one.data)?.filter(isObject) ?? [];
      const applied = limitsFor(situation, tool, clause).filter(
        (limit) =>
          flatValues(one.arguments).includes(limit.value) ||
          rows.some((row) => fieldValue(row, limit.field, limit.sentence) !== null),
      );
      const limits = new Set(applied.map((limit) => limit.sentence));
      for (const rule of rulesFor(situation, tool, clause))
        if (limits.has(rule.sentence) || (rule.limits.length === 0 && bears(rule.sentence, one)))
          lines.set(rule.sentence, `- ${quote(rule.sentence)} [${rule.passage + 1}]`);
    }
  if (lines.size === 0 && !acted) {
    const query = contentStems(situation.goal.text);
    for (const one of answeringSentences(situation.passages, query).slice(0, 2))
      lines.set(one.sentence, `- ${quote(one.sentence)} [${one.passage + 1}]`);
  }
  return lines.size > 0 ? `What the documents say about this:\n${[...lines.values()].slice(0, 4).join('\n')}` : null;
}

/** The rule names a value that the call was made with. */
const bears = (rule: string, one: Observation): boolean =>
  flatValues(one.arguments).some(
    (value) =>
      typeof value === 'string' &&
      value.length > 3 &&
      rule.toLowerCase().includes(value.toLowerCase().replace(/[_-]/g, ' ')),
  );

/** Nothing was called: small talk, knowledge from passages, or an honest "I do not know". */
export function withoutResults(situation: Situation): string {
  const text = situation.goal.text;
  if (isSmallTalk(text)) return /^\s*(?:thanks?|thank you|cheers)/i.test(text) ? 'You are welcome.' : INTRODUCTION;
  const asked = effectClauses(situation.goal);
  const evidence = answeringSentences(situation.passages, contentStems(text));
  if (asked.length > 0 && !situation.readOnly)
    return `I did not ${wordsOfClause(asked[0]!)}: I have no tool here that does this${evidence.length > 0 ? `. ${cite(evidence)}` : '.'}`;
  const recalled = recall(situation);
  if (recalled && (evidence[0]?.coverage ?? 0) < 1) return recalled;
  if (evidence.length > 0) return cite(evidence);
  const remembered = situation.facts
    .map((fact) => ({ fact, hits: contentStems(fact).filter((one) => situation.goal.stems.has(one)).length }))
    .sort((a, b) => b.hits - a.hits)[0];
  if (remembered && remembered.hits >= Math.max(1, Math.ceil(situation.goal.stems.size / 2)))
    return sentence(remembered.fact);
  if (situation.passages.length > 0) return "I don't know: the documents that I have do not answer this.";
  return `I don't know, and I have no tool or document here that would tell me. ${situation.tools.length > 0 ? `What I can do here: ${joinWords(situation.tools.slice(0, 8).map((tool) => sayKey(tool.name)))}.` : INTRODUCTION}`;
}

/** A question about what was done earlier in the session: the fields of its results that the question names. */
function recall(situation: Situation): string | null {
  if (situation.goal.stems.size === 0) return null;
  let best: { text: string; hits: number } | null = null;
  for (const one of situation.past.filter((each) => !each.isError && each.data !== null)) {
    const tool = toolOf(situation, one.tool);
    const row = isObject(one.data) ? one.data : null;
    if (!row) continue;
    for (const [key, value] of Object.entries(row)) {
      if (typeof value === 'object' || value === null) continue;
      const words = [...new Set([...splitIdentifier(key), ...tool.nameStems].map(stem))];
      const named = splitIdentifier(key).some((word) => situation.goal.stems.has(stem(word)));
      const hits = words.filter((word) => situation.goal.stems.has(word)).length;
      if (named && hits >= 1 && hits >= situation.goal.stems.size * 0.5 && (!best || hits >= best.hits))
        best = { text: `The ${sayKey(key)} is ${sayValue(key, value, null)}`, hits };
    }
  }
  return best ? sentence(best.text) : null;
}

const cite = (evidence: readonly { passage: number; sentence: string }[]): string =>
  evidence.map((one) => `${sentence(quote(one.sentence)).replace(/([.!?…])$/, '')} [${one.passage + 1}].`).join(' ');
