/**
 * Resolving one tool into a step: its arguments from words, from results that are there, or from calls that would give
 * them. Owns the steps of one graph and the trust between these sources.
 */
import { type Filled, fillFromText, namesIn } from './arguments.ts';
import { ruledOutFor } from './blocked.ts';
import type { Clause } from './goal.ts';
import { PERSON_WORDS } from './lexicon.ts';
import { type Lookup, lookUp } from './lookup.ts';
import type { Mention } from './mentions.ts';
import { isInside } from './names.ts';
import type { Parameter } from './parameters.ts';
import { isExisting, pointingOf, scopedGoals } from './pointing.ts';
import { isLastResort, producersOf } from './producers.ts';
import type { Observation } from './results.ts';
import { sameArguments } from './same-call.ts';
import { accepts, prune, setAt } from './schema.ts';
import type { Situation } from './situation.ts';
import type { Purpose, Step } from './step.ts';
import type { Tool } from './toolbox.ts';
import { changesNothing, isCode, isWeak, keyOf, mended } from './trust.ts';
import { stem, wordsOf } from './words.ts';

const DEPTH_MAX = 5;
const PRODUCERS_TRIED_MAX = 3;
const SUBJECTS_MAX = 6;
const SPOKEN_BONUS = 0.6;
/** A tool that merely sounds related to what is wanted gets no bonus for being spoken of. */
const SPOKEN_SCORE_MIN = 0.6;

export class Builder {
  readonly situation: Situation;
  readonly steps = new Map<string, Step>();

  constructor(situation: Situation) {
    this.situation = situation;
  }

  sources(tool: Tool): readonly Observation[] {
    const current = this.situation.observations;
    const past =
      this.situation.usesPast || tool.verbClass === 'undo' || tool.verbClass === 'update' ? this.situation.past : [];
    return [...past, ...current];
  }

  resolve(
    tool: Tool,
    clause: Clause | null,
    purpose: Purpose,
    options: {
      subject?: Mention | null;
      stack?: readonly string[];
      seeking?: string;
      given?: Record<string, unknown>;
    } = {},
  ): Step {
    const stack = options.stack ?? [];
    const subject = options.subject ?? null;
    const filling = fillFromText(this.situation, tool, clause, {
      prerequisite: purpose === 'prerequisite',
      subject,
      seeking: options.seeking,
    });
    const own = purpose === 'read' || purpose === 'effect' ? String(clause?.start ?? '') : keyOf(filling.filled);
    const id = [tool.name, subject?.text ?? '', own, options.given ? JSON.stringify(options.given) : ''].join('|');
    const known = this.steps.get(id) ?? this.shared(tool, subject, clause, purpose, filling.filled);
    if (known) return known;
    const step: Step = {
      id,
      tool,
      clause,
      subject,
      purpose,
      args: {},
      filled: filling.filled,
      needs: [],
      missing: [],
      after: [],
      done: null,
      failed: null,
      obstacle: null,
      choices: [],
      blockers: [],
      doubt: null,
    };
    this.steps.set(id, step);
    if (options.given) {
      step.args = { ...options.given };
      step.filled = [];
    } else this.fillStep(step, filling.filled, filling.open, [...stack, tool.name]);
    this.settle(step);
    return step;
  }

  /** A call that is made anyway serves as well: a lookup that the goal itself asks for, or one with the same values. */
  private shared(
    tool: Tool,
    subject: Mention | null,
    clause: Clause | null,
    purpose: Purpose,
    filled: readonly Filled[],
  ): Step | undefined {
    if (purpose !== 'prerequisite' && purpose !== 'check') return undefined;
    return [...this.steps.values()].find(
      (one) =>
        one.tool === tool &&
        one.subject?.text === subject?.text &&
        one.purpose !== 'undo' &&
        (one.purpose === 'read' || one.clause === clause || keyOf(one.filled) === keyOf(filled)),
    );
  }

  private fillStep(step: Step, filled: readonly Filled[], open: readonly Parameter[], stack: readonly string[]): void {
    const { tool } = step;
    const wanted = new Map<Parameter, Filled | null>();
    for (const parameter of open) wanted.set(parameter, null);
    // Words that only might be an id give way to a lookup; an address that the goal implies by a name is looked up too.
    for (const one of filled) if (isWeak(one)) wanted.set(one.parameter, one);
    for (const parameter of tool.parameters) {
      const implied =
        !parameter.required &&
        (parameter.kind === 'email' || (parameter.kind === 'id' && PERSON_WORDS.has(parameter.entity))) &&
        tool.effectful &&
        !filled.some((one) => one.parameter === parameter) &&
        this.partners(step, parameter).length > 0;
      if (
        implied &&
        (producersOf(this.situation, parameter, tool, stack).length > 0 ||
          this.lookFor(step, parameter, this.partners(step, parameter)[0] ?? null)?.kind === 'value')
      )
        wanted.set(parameter, null);
    }
    const kept = filled.filter((one) => !wanted.has(one.parameter));
    for (const one of kept) setAt(step.args, one.parameter.path, one.value);
    for (const [parameter, weak] of wanted) this.supply(step, parameter, weak, stack);
    if (changesNothing(step)) step.missing.push(...tool.parameters.filter((one) => !one.required && one.kind !== 'id'));
    if (step.needs.length === 0 && step.missing.length === 0 && !step.obstacle)
      step.args = prune(step.args, tool.definition.parameters);
    else step.args = Object.fromEntries(Object.entries(step.args));
  }

  /** People that a call is with or to. */
  private partners(step: Step, parameter: Parameter): Mention[] {
    if (step.subject) return [step.subject];
    if (parameter.kind !== 'email' && !PERSON_WORDS.has(parameter.entity)) return [];
    if (parameter.kind === 'id' && this.addressIn(step)) return [];
    if (/^(?:from|sender|bcc|cc|reply)$/.test(parameter.words[0] ?? '')) return [];
    const own = namesIn(this.situation.goal.mentions, step.clause);
    const names = (own.length > 0 ? own : namesIn(this.situation.background?.mentions ?? [], null)).filter(
      (one) =>
        /^(?:with|to|and|email|invite|notify|message|tell|ask|contact|call|remind|for|between|by)$/.test(one.cue) ||
        one.cue === '',
    );
    // Who the act goes to comes before whom it is for, and both before a name that merely stands there.
    const tiers = [
      /^(?:with|to|and|email|invite|notify|message|tell|ask|contact|call|remind|between)$/,
      /^(?:for|by)$/,
      /^$/,
    ];
    const best = tiers.map((tier) => names.filter((one) => tier.test(one.cue))).find((tier) => tier.length > 0) ?? [];
    return best.slice(0, SUBJECTS_MAX);
  }

  private supply(step: Step, parameter: Parameter, weak: Filled | null, stack: readonly string[]): void {
    const partners = this.partners(step, parameter);
    if (parameter.many && partners.length > 0) return this.supplyList(step, parameter, partners, stack);
    const subject = step.subject ?? (partners.length > 0 ? partners[0]! : this.namedFor(step, parameter));
    const found = this.lookFor(step, parameter, subject, weak);
    if (found?.kind === 'value') return this.take(step, parameter, parameter.many ? [found.value] : found.value, found);
    const offered = this.bestProducer(step, parameter, subject, stack);
    // A code that the user gave is not worth a call that a human has to approve, or one that needs more than is known.
    const literal =
      weak !== null &&
      isCode(weak) &&
      (!offered ||
        offered.tool.guarded ||
        !['list', 'find'].includes(offered.tool.verbClass) ||
        this.costOf(offered) > 0.4);
    const producer = literal ? null : offered;
    if (producer) {
      if (producer.done || producer.failed || producer.obstacle) {
        if (weak && (producer.failed || isCode(weak))) setAt(step.args, parameter.path, weak.value);
        else if (producer.done && !found && isLastResort(producer.tool, parameter)) step.missing.push(parameter);
        else this.obstruct(step, producer, found, subject);
      } else step.needs.push({ parameter, producer });
    } else if (weak && found?.kind === 'ambiguous') this.obstructBy(step, found, subject);
    else if (weak) setAt(step.args, parameter.path, weak.value);
    else if (found && found.kind !== 'none-fits') this.obstructBy(step, found, subject);
    else if (found) this.obstructBy(step, found, subject);
    else if (parameter.required) {
      const earlier = this.earlierArgument(parameter);
      if (earlier !== undefined) setAt(step.args, parameter.path, earlier);
      else step.missing.push(parameter);
    }
  }

  /** A follow-up goes on with what the earlier calls were made with. */
  private earlierArgument(parameter: Parameter): unknown {
    if (!this.situation.usesPast) return undefined;
    return [...this.situation.past]
      .reverse()
      .map((one) => one.arguments[parameter.name])
      .find((value) => value !== undefined && accepts(value, parameter.schema, parameter.schema));
  }

  private supplyList(step: Step, parameter: Parameter, partners: readonly Mention[], stack: readonly string[]): void {
    const values: unknown[] = [];
    const needs: { parameter: Parameter; producer: Step }[] = [];
    for (const partner of partners) {
      const found = this.lookFor(step, parameter, partner);
      if (found?.kind === 'value') values.push(found.value);
      else {
        const producer = this.bestProducer(step, parameter, partner, stack);
        if (!producer) {
          if (parameter.required) step.missing.push(parameter);
          return;
        }
        if (producer.done || producer.failed || producer.obstacle) return this.obstruct(step, producer, found, partner);
        needs.push({ parameter, producer });
      }
    }
    if (needs.length > 0) step.needs.push(...needs);
    else if (accepts(values, parameter.schema, parameter.schema))
      setAt(step.args, parameter.path, [...new Set(values)]);
    else if (parameter.required) step.missing.push(parameter);
  }

  private addressIn(step: Step): boolean {
    const { goal, background } = this.situation;
    const inside = (one: Mention): boolean => one.kind === 'email' && (!step.clause || isInside(one, step.clause));
    return goal.mentions.some(inside) || (background?.mentions.some((one) => one.kind === 'email') ?? false);
  }

  /** A person's name may stand behind an id or a name that another tool knows. */
  private namedFor(step: Step, parameter: Parameter): Mention | null {
    if (!PERSON_WORDS.has(parameter.entity)) return null;
    // An address says who is meant better than any name beside it.
    if (this.addressIn(step)) return null;
    const own = namesIn(this.situation.goal.mentions, step.clause);
    const names = own.length > 0 ? own : namesIn(this.situation.background?.mentions ?? [], null);
    return (
      names.find((one) => /^(?:for|with|to|by|of|named|whose|email|tell|invite|notify)$/.test(one.cue)) ??
      names[0] ??
      null
    );
  }

  private lookFor(
    step: Step,
    parameter: Parameter,
    subject: Mention | null,
    weak: Filled | null = null,
  ): Lookup | null {
    const personal = subject !== null && (parameter.kind === 'email' || PERSON_WORDS.has(parameter.entity));
    return lookUp(this.situation, parameter, this.sources(step.tool), {
      subject: personal ? subject.text : null,
      quantity: this.quantityOf(step),
      decisive: step.tool.effectful,
      existing: isExisting(this.situation, step, parameter),
      goals: scopedGoals(this.situation, step),
      pointing: pointingOf(this.situation, step, parameter, weak),
      ruledOut: ruledOutFor(this.situation, parameter),
      clause: step.clause,
      except: step.tool.name,
    });
  }

  quantityOf(step: Step): number | null {
    const entry = step.filled.find(
      (one) =>
        one.parameter.words.some((word) => /^(?:quantity|qty|seats|passengers|guests|units|count)$/.test(word)) &&
        typeof one.value === 'number',
    );
    if (entry) return entry.value as number;
    const goalNumber = this.situation.goal.mentions.find(
      (one) => one.kind === 'number' && one.unit !== '' && !one.comparator && step.clause !== null,
    );
    return step.purpose === 'effect' &&
      goalNumber?.kind === 'number' &&
      goalNumber.value > 0 &&
      goalNumber.value < 10_000
      ? goalNumber.value
      : null;
  }

  private take(step: Step, parameter: Parameter, value: unknown, found: Lookup & { kind: 'value' }): void {
    setAt(step.args, parameter.path, value);
    if (found.choice)
      step.choices.push({ observation: found.observation, choice: found.choice, source: found.observation.tool });
  }

  private bestProducer(
    step: Step,
    parameter: Parameter,
    subject: Mention | null,
    stack: readonly string[],
  ): Step | null {
    if (stack.length >= DEPTH_MAX) return null;
    const personal = subject !== null && (parameter.kind === 'email' || PERSON_WORDS.has(parameter.entity));
    const offers = producersOf(this.situation, parameter, step.tool, stack).slice(0, PRODUCERS_TRIED_MAX);
    let best: { step: Step; rank: number } | null = null;
    for (const offer of offers) {
      const before = new Set(this.steps.keys());
      const producer = this.resolve(offer.tool, step.clause, 'prerequisite', {
        subject: personal ? subject : null,
        stack,
        seeking: parameter.entity,
      });
      // What the clause itself speaks of is looked for first, even where a value for it has to be asked for.
      const spoken =
        offer.score >= SPOKEN_SCORE_MIN && offer.tool.nouns.some((noun) => step.clause?.stems.includes(stem(noun)))
          ? SPOKEN_BONUS
          : 0;
      const rank = offer.score + spoken - this.costOf(producer);
      if (!best || rank > best.rank) {
        if (best) this.forget(best.step, before);
        best = { step: producer, rank };
      } else this.forget(producer, before);
    }
    return best?.step ?? null;
  }

  /** Missing values weigh most: a producer that needs what only the user knows is the last resort. */
  private costOf(step: Step, depth = 0): number {
    if (depth > DEPTH_MAX) return 1;
    return (
      step.missing.length * 0.5 +
      (step.failed ? 0.3 : 0) +
      step.needs.reduce((sum, need) => sum + 0.05 + this.costOf(need.producer, depth + 1), 0) -
      (step.done ? 0.3 : 0)
    );
  }

  private forget(step: Step, before: ReadonlySet<string>): void {
    const used = new Set<Step>();
    const visit = (one: Step): void => {
      if (used.has(one)) return;
      used.add(one);
      for (const need of one.needs) visit(need.producer);
    };
    visit(step);
    for (const one of used) if (!before.has(one.id)) this.steps.delete(one.id);
  }

  private obstruct(step: Step, producer: Step, found: Lookup | null, subject: Mention | null): void {
    if (found && found.kind !== 'value') return this.obstructBy(step, found, subject);
    if (producer.done)
      step.obstacle = { kind: 'nothing', observation: producer.done, choice: null, subject: subject?.text ?? null };
    else step.obstacle = { kind: 'upstream', step: producer };
  }

  private obstructBy(step: Step, found: Exclude<Lookup, { kind: 'value' }>, subject: Mention | null): void {
    if (found.kind === 'ambiguous')
      step.obstacle = {
        kind: 'ambiguous',
        observation: found.observation,
        rows: found.rows,
        subject: subject?.text ?? '',
      };
    else
      step.obstacle = {
        kind: 'nothing',
        observation: found.observation,
        choice: found.choice,
        subject: subject?.text ?? null,
      };
  }

  /** Matches the step with what has been called already. */
  private settle(step: Step): void {
    const calls = this.situation.observations.filter((one) => one.tool === step.tool.name);
    const complete = step.needs.length === 0 && step.missing.length === 0 && !step.obstacle;
    const same = (one: Observation): boolean => sameArguments(one.arguments, step.args);
    const subjectMatches = (one: Observation): boolean =>
      !step.subject ||
      wordsOf(step.subject.text).every((word) => JSON.stringify(one.arguments).toLowerCase().includes(word));
    const agrees = (one: Observation): boolean =>
      step.tool.parameters
        .filter((parameter) => parameter.required)
        .every((parameter) => {
          const name = String(parameter.path[0]);
          return JSON.stringify(one.arguments[name] ?? null) === JSON.stringify(step.args[name] ?? null);
        });
    const handed = (one: Observation): boolean =>
      this.situation.background !== null && step.purpose !== 'read' && subjectMatches(one);
    if (step.tool.effectful) {
      step.done =
        calls.find(
          (one) =>
            !one.isError &&
            (step.subject || step.purpose === 'undo'
              ? same(one) || (step.subject !== null && subjectMatches(one))
              : this.sameClauseCall(step, one)),
        ) ?? null;
      if (!step.done) step.failed = calls.filter((one) => one.isError).at(-1) ?? null;
      return;
    }
    const matching = calls.filter((one) => (complete && (same(one) || agrees(one))) || handed(one));
    step.done = matching.filter((one) => !one.isError).at(-1) ?? null;
    if (!step.done)
      step.failed =
        (complete
          ? calls.filter((one) => one.isError && (same(one) || agrees(one) || mended(one, step)))
          : calls.filter((one) => one.isError)
        ).at(-1) ?? null;
  }

  /** Two clauses may use one effect tool ("order A and order B"): each needs its own call. */
  private sameClauseCall(step: Step, call: Observation): boolean {
    const rivals = [...this.steps.values()].filter(
      (one) => one.tool === step.tool && one.purpose === step.purpose && one.id !== step.id,
    );
    if (rivals.length === 0) return true;
    return !rivals.some((one) => one.done?.callId === call.callId);
  }
}
