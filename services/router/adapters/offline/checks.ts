/**
 * Which checks belong before an effect: pure tools that say whether something may be done, about the effect's own
 * subject (its ids) or its own dates. Owns that relation; what an outcome means is in `blockers.ts`.
 */
import type { Builder } from './builder.ts';
import type { Situation } from './situation.ts';
import type { Step } from './step.ts';
import type { Tool } from './toolbox.ts';
import { contentStems, stem } from './words.ts';

const CHECKS_MAX = 3;
/** What an act that moves money rests on. */
const FUNDS = /balance|funds|budget|credit|allowance/i;
/** Effects that take up nobody's time: a calendar does not stand in their way. */
const TIMELESS =
  /^(?:email|mail|message|reminder|task|todo|note|comment|ticket|issue|incident|order|payment|invoice|transfer|sms|post|report|document|contact|event2)$/;

/** Every step that an effect rests on by data flow, itself included. */
export function chainOf(step: Step): Step[] {
  const seen = new Set<Step>();
  const visit = (one: Step): void => {
    if (seen.has(one)) return;
    seen.add(one);
    for (const need of one.needs) visit(need.producer);
  };
  visit(step);
  return [...seen];
}

export function checksFor(builder: Builder, step: Step, situation: Situation): Step[] {
  if (step.tool.verbClass === 'undo') return [];
  const chain = chainOf(step);
  const ids = new Set(
    chain
      .flatMap((one) =>
        one.tool.parameters
          .filter((parameter) => parameter.kind === 'id' || parameter.kind === 'named')
          .map((parameter) => stem(parameter.entity || parameter.words.at(-1) || '')),
      )
      .filter(Boolean),
  );
  const goalStems = new Set([
    ...situation.goal.stems,
    ...(situation.background ? contentStems(situation.background.text) : []),
  ]);
  const dated = situation.goal.mentions.some((one) => one.kind === 'date' || one.kind === 'time');
  const timed = dated && !step.tool.nouns.some((noun) => TIMELESS.test(noun));
  const found: Step[] = [];
  const calendars = situation.tools.filter((tool) => isCalendarCheck(tool));
  for (const tool of situation.tools) {
    if (found.length >= CHECKS_MAX || tool.effectful || chain.some((one) => one.tool === tool)) continue;
    const calendar =
      timed &&
      isCalendarCheck(tool) &&
      (tool.checks || !calendars.some((one) => one.checks)) &&
      !(tool.aboutCalendar && !tool.checks && step.tool.verbClass === 'update' && calendars.some((one) => one.checks));
    const shared =
      tool.checks &&
      tool.parameters.some(
        (parameter) =>
          parameter.required &&
          (parameter.kind === 'id' || parameter.kind === 'named') &&
          ids.has(stem(parameter.entity || parameter.words.at(-1) || '')),
      );
    const funds =
      tool.checks &&
      FUNDS.test(tool.name) &&
      tool.parameters.every((one) => !one.required) &&
      step.filled.some((one) => one.parameter.kind === 'money' && one.parameter.role === '');
    const mentioned = tool.checks && tool.nouns.some((noun) => goalStems.has(stem(noun))) && !isCalendarCheck(tool);
    if (
      !calendar &&
      !shared &&
      !funds &&
      !(mentioned && (shared || tool.parameters.every((parameter) => !parameter.required || parameter.kind !== 'id')))
    )
      continue;
    const before = new Set(builder.steps.keys());
    const check = builder.resolve(tool, step.clause, 'check');
    const chainMissing = chainOf(check).some((one) => one.missing.length > 0);
    const foreign = chainOf(check).some((one) => one !== check && one.tool.effectful);
    // A check that needs what nobody said is no reason to ask: the effect stands on its own.
    if (chainMissing || foreign || (check.obstacle && check.obstacle.kind !== 'upstream')) {
      for (const key of [...builder.steps.keys()]) if (!before.has(key)) builder.steps.delete(key);
      continue;
    }
    found.push(check);
  }
  return found;
}

const isCalendarCheck = (tool: Tool): boolean =>
  !tool.effectful &&
  (tool.aboutCalendar || (tool.checks && /avail|free|busy/i.test(tool.name))) &&
  ['check', 'list', 'get', 'find'].includes(tool.verbClass) &&
  tool.parameters.some((one) => (one.kind === 'date' || one.kind === 'moment') && one.role !== 'to') &&
  tool.parameters
    .filter((one) => one.required)
    .every((one) =>
      ['date', 'moment', 'time', 'email', 'duration', 'enum', 'zone', 'person', 'count'].includes(one.kind),
    );
