/**
 * Filling a tool's arguments from words alone: labels, mentions, free text, facts, passages, defaults, in this order. Owns
 * what may count as evidence: an optional argument without evidence stays out, a required one is reported as open,
 * never made up. The stages are in `assign-mentions.ts` and `fill-*.ts`.
 */
import { valueFromRules } from './applicable-rules.ts';
import { assignMentions, namedBeside, splitPair } from './assign-mentions.ts';
import { fromChoice } from './fill-choice.ts';
import { fromFacts, fromPassages, requiredDefault } from './fill-known.ts';
import { freeText } from './fill-text.ts';
import { type Filled, type Filling, type FillOptions, SCORE_MIN_OPTIONAL } from './filling.ts';
import { fit } from './fit.ts';
import { enumFrom, labelled } from './free-text.ts';
import type { Clause, Goal } from './goal.ts';
import { PERSON_WORDS } from './lexicon.ts';
import { findMentions, type Mention } from './mentions.ts';
import type { Parameter } from './parameters.ts';
import { accepts, coerce, enumOf } from './schema.ts';
import type { Situation } from './situation.ts';
import type { Tool } from './toolbox.ts';
import { escapeRegExp } from './words.ts';

export type { Filled, Filling, FillOptions, Source } from './filling.ts';
export { isNaming, namesIn } from './names.ts';

/** A background goal's words count less than the task's own. */
const BACKGROUND_PENALTY = 0.2;

export function fillFromText(
  situation: Situation,
  tool: Tool,
  clause: Clause | null,
  options: FillOptions = {},
): Filling {
  return new Filler(situation, tool, clause, options).run();
}

class Filler {
  readonly filled = new Map<Parameter, Filled>();
  readonly used: Mention[] = [];
  readonly situation: Situation;
  readonly tool: Tool;
  readonly clause: Clause | null;
  readonly options: FillOptions;

  constructor(situation: Situation, tool: Tool, clause: Clause | null, options: FillOptions) {
    this.situation = situation;
    this.tool = tool;
    this.clause = clause;
    this.options = options;
  }

  run(): Filling {
    this.labels();
    if (this.situation.ownTask.length === 0) {
      this.names();
      this.mentions();
      this.choices();
      this.texts();
    }
    if (this.situation.background) this.backgroundWords(this.situation.background);
    this.rules();
    this.facts();
    this.defaults();
    return {
      filled: [...this.filled.values()],
      open: this.pending().filter((parameter) => parameter.required),
      used: this.used,
    };
  }

  private readonly put = (one: Filled): void => {
    this.filled.set(one.parameter, one);
    if (one.mention) this.used.push(one.mention);
  };

  private pending(): Parameter[] {
    return this.tool.parameters.filter((parameter) => !this.filled.has(parameter));
  }

  private labels(): void {
    for (const parameter of this.tool.parameters) {
      const value = fromLabel(this.situation.goal.text, parameter, this.situation);
      if (value !== undefined) this.put({ parameter, value, source: 'label', score: 1 });
    }
  }

  private names(): void {
    const open = this.pending().filter((one) => one.required && ['named', 'person', 'id'].includes(one.kind));
    splitPair(this.situation, open, this.put);
    for (const parameter of this.pending()) {
      const example = fromExamples(this.situation, this.clause, parameter);
      if (example !== undefined) this.put({ parameter, value: example, source: 'text', score: 0.75 });
      else this.nameBeside(parameter);
    }
  }

  private nameBeside(parameter: Parameter): void {
    const alone = parameter.words.length === 1 && parameter.words[0] !== 'name';
    if (parameter.many || !(parameter.kind === 'named' || (parameter.kind === 'person' && alone))) return;
    // Where a list can be narrowed afterwards, half a name ("living" of "living room") would only hide what is meant.
    if (this.options.prerequisite && !parameter.required) return;
    const found = namedBeside(this.situation, this.tool, parameter, this.clause);
    const value = found === null ? undefined : coerce(found.value, parameter.schema);
    if (found && value !== undefined && accepts(value, parameter.schema, parameter.schema))
      this.put({ parameter, value, source: 'text', mention: found.mention, score: 0.75 });
  }

  private mentions(): void {
    assignMentions({
      situation: this.situation,
      goal: this.situation.goal,
      tool: this.tool,
      clause: this.clause,
      parameters: this.pending(),
      filled: this.filled,
      put: this.put,
      options: this.options,
      penalty: 0,
    });
  }

  private choices(): void {
    for (const parameter of this.pending()) {
      const value = fromChoice(this.tool, this.situation, parameter, this.clause, this.situation.goal, this.options);
      if (value !== undefined) this.put({ parameter, value, source: 'text', score: 0.8 });
    }
  }

  private texts(): void {
    for (const parameter of this.pending()) {
      const alone = this.pending().filter((one) => one.required && one.kind === 'named').length <= 1;
      const raw = freeText(this.situation, this.tool, parameter, this.clause, this.used, this.options, alone);
      const value = raw === null ? undefined : coerce(parameter.many ? [raw] : raw, parameter.schema);
      if (value !== undefined && accepts(value, parameter.schema, parameter.schema))
        this.put({ parameter, value, source: 'text', score: 0.7 });
    }
  }

  private backgroundWords(background: Goal): void {
    const open = (): Parameter[] => this.pending().filter((one) => one.required || this.situation.ownTask.length === 0);
    assignMentions({
      situation: this.situation,
      goal: background,
      tool: this.tool,
      clause: null,
      parameters: open(),
      filled: this.filled,
      put: this.put,
      options: this.options,
      penalty: BACKGROUND_PENALTY,
    });
    for (const parameter of open()) {
      if (parameter.kind !== 'enum' && parameter.kind !== 'boolean') continue;
      const value = fromChoice(this.tool, this.situation, parameter, null, background, this.options);
      if (value !== undefined) this.put({ parameter, value, source: 'text', score: 0.6 });
    }
  }

  private rules(): void {
    for (const parameter of this.pending()) {
      const ruled = valueFromRules(this.situation, this.tool, parameter, this.clause);
      if (!ruled) continue;
      const value = parameter.many ? [ruled.value] : ruled.value;
      this.put({ parameter, value, source: 'rule', rule: ruled.rule ?? undefined, score: 0.7 });
    }
  }

  private facts(): void {
    this.dropWeakNames();
    const identifying = this.isBareLookup();
    for (const parameter of this.pending()) {
      const asked =
        parameter.required ||
        parameter.requiredInParent ||
        parameter.kind === 'enum' ||
        (parameter.kind === 'place' && parameter.role === 'from') ||
        (this.tool.effectful && (parameter.kind === 'person' || parameter.kind === 'email')) ||
        (identifying && ['id', 'email', 'named', 'person'].includes(parameter.kind));
      if (!asked) continue;
      const known = fromFacts(this.situation, parameter, this.clause) ?? fromPassages(this.situation, parameter);
      if (!known) continue;
      const value = parameter.many ? [known.value] : known.value;
      this.put({ parameter, value, source: 'fact', fact: known.fact, score: 0.6 });
    }
  }

  /** What is remembered for certain beats a name that merely stands somewhere. */
  private dropWeakNames(): void {
    for (const one of [...this.filled.values()])
      if (
        one.source === 'text' &&
        one.score < SCORE_MIN_OPTIONAL &&
        one.parameter.kind === 'person' &&
        fromFacts(this.situation, one.parameter, this.clause)
      )
        this.filled.delete(one.parameter);
  }

  /** A lookup of people that takes any of several keys and was given none: the user's own key is meant. */
  private isBareLookup(): boolean {
    return (
      this.options.prerequisite === true &&
      this.filled.size === 0 &&
      this.tool.parameters.length > 0 &&
      this.tool.parameters.every((one) => !one.required) &&
      this.tool.nouns.some((noun) => PERSON_WORDS.has(noun))
    );
  }

  private defaults(): void {
    for (const parameter of this.pending()) {
      if (!parameter.required) continue;
      const value = requiredDefault(this.situation, parameter, this.clause);
      if (value !== undefined) this.put({ parameter, value, source: 'default', score: 0.4 });
    }
  }
}

const EXAMPLES = /\b(?:e\.?g\.?|for example|such as|like|examples?:?)\s*:?\s*([^.;()]{2,120})/i;

/** A value that the schema or the description gives as an example and the text says word for word. */
function fromExamples(situation: Situation, clause: Clause | null, parameter: Parameter): unknown {
  if (parameter.many || !['named', 'place'].includes(parameter.kind)) return undefined;
  const listed = parameter.description.match(EXAMPLES)?.[1]?.split(/\s*(?:,|\bor\b|\band\b)\s*/) ?? [];
  const given = Array.isArray(parameter.item.examples) ? parameter.item.examples : [parameter.item.example];
  const text = clause?.text ?? situation.goal.text;
  return [...listed, ...given]
    .map((one) =>
      String(one ?? '')
        .replace(/^["'“‘]+|["'”’…]+$/g, '')
        .trim(),
    )
    .find(
      (one) =>
        one.length > 2 &&
        new RegExp(`(?<![\\p{L}\\p{N}])${escapeRegExp(one)}(?![\\p{L}\\p{N}])`, 'iu').test(text) &&
        accepts(one, parameter.schema, parameter.schema),
    );
}

function fromLabel(text: string, parameter: Parameter, situation: Situation): unknown {
  const raw = labelled(text, parameter);
  if (raw === null) return undefined;
  if (parameter.many) {
    const values = raw
      .split(/\s*,\s*/)
      .map((one) => coerce(one, parameter.item))
      .filter((one) => one !== undefined && accepts(one, parameter.item, parameter.item));
    return values.length > 0 && accepts(values, parameter.schema, parameter.schema) ? values : undefined;
  }
  const plain = coerce(raw.replace(/^["“']|["”']$/g, ''), parameter.item);
  if (plain !== undefined && accepts(plain, parameter.item, parameter.item)) return plain;
  for (const mention of findMentions(raw, situation.now)) {
    const found = fit(parameter, mention, situation.now, new Set());
    if (found) return found.value;
  }
  const options = enumOf(parameter.item);
  return options ? enumFrom(raw, options, parameter)?.value : undefined;
}
