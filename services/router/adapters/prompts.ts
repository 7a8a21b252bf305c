/**
 * Renders a bundle's prompts, by Liquid. Invariants: whatever is wrong with a prompt or its values is an error before any
 * model is asked; a value is never read as a template; what users and documents say is not in the text.
 */
import { type Bundle, contentHash, type PromptManifest, type PromptUse, TuttiError } from '@tutti/contracts';
import { Liquid, type Template } from 'liquidjs';
import { checkValues, type PromptData, variantOf } from '../core/prompt-values.ts';

type Prompts = NonNullable<Bundle['prompts']>;

export interface RenderedPrompt {
  name: string;
  version: string;
  hash: string;
  locale: string | null;
  text: string;
  data: PromptData[];
}

const RENDER_MS = 200;
const OUTPUT_CHARS_MAX = 400_000;
/** Engines kept: one a bundle and language. */
const ENGINES_MAX = 64;
const engines = new Map<string, Liquid>();

/** Throws TuttiError `invalid_request` (values) or `bundle_invalid` (the prompt itself). `bundle`: its hash. */
export function renderPrompt(bundle: string, prompts: Prompts | undefined, use: PromptUse): RenderedPrompt {
  const prompt = prompts && Object.hasOwn(prompts, use.name) ? prompts[use.name] : undefined;
  if (!prompts || !prompt) {
    const names = Object.keys(prompts ?? {});
    const there = names.length ? `there are: ${names.join(', ')}` : 'the bundle has none';
    throw new TuttiError('invalid_request', `there is no prompt "${use.name}" (${there})`);
  }
  const checked = checkValues(prompt.placeholders, use.values);
  if (!checked.ok)
    throw new TuttiError('invalid_request', `the prompt "${use.name}": ${checked.problems.join('; ')}`, {
      details: { problems: checked.problems },
    });
  const engine = engineFor(bundle, prompts, use.locale);
  const { locale, text } = variantOf(prompt, use.locale);
  try {
    return {
      name: use.name,
      version: prompt.version,
      hash: contentHash({ text, parts: partsOf(prompts, text, use.locale) }),
      locale,
      text: String(engine.renderFileSync(use.name, checked.inline)).trim(),
      data: checked.data,
    };
  } catch (error) {
    throw new TuttiError('bundle_invalid', `the prompt "${use.name}" cannot be rendered: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** What is wrong with a bundle's prompts, whatever their values: a line each. */
export function problemsOfPrompts(prompts: Prompts): { prompt: string; problem: string }[] {
  const languages = new Set<string | undefined>([undefined]);
  for (const { locales } of Object.values(prompts)) for (const locale of Object.keys(locales)) languages.add(locale);
  const found = new Map<string, { prompt: string; problem: string }>();
  for (const locale of languages) {
    const engine = createEngine(prompts, locale);
    for (const [name, prompt] of Object.entries(prompts)) {
      const { text, locale: taken } = variantOf(prompt, locale);
      for (const problem of problemsOfText(engine, prompt, text))
        found.set(`${name}\n${taken}\n${problem}`, { prompt: name, problem: taken ? `${taken}: ${problem}` : problem });
    }
  }
  return [...found.values()];
}

function problemsOfText(engine: Liquid, prompt: PromptManifest, text: string): string[] {
  let templates: Template[];
  try {
    templates = engine.parse(text);
  } catch (error) {
    return [(error as Error).message];
  }
  try {
    const used = engine.globalVariablesSync(templates);
    return used
      .filter((name) => !Object.hasOwn(prompt.placeholders, name))
      .map((name) => `uses "${name}", which is no placeholder of it`);
  } catch (error) {
    return [(error as Error).message];
  }
}

function engineFor(bundle: string, prompts: Prompts, locale: string | undefined): Liquid {
  const key = `${bundle}\n${locale ?? ''}`;
  const known = engines.get(key);
  if (known) return known;
  if (engines.size >= ENGINES_MAX) engines.delete(engines.keys().next().value as string);
  const engine = createEngine(prompts, locale);
  engines.set(key, engine);
  return engine;
}

function createEngine(prompts: Prompts, locale: string | undefined): Liquid {
  return new Liquid({
    // partials come from the bundle alone, never from a disk
    templates: Object.fromEntries(
      Object.entries(prompts).map(([name, prompt]) => [name, variantOf(prompt, locale).text]),
    ),
    strictVariables: true,
    strictFilters: true,
    ownPropertyOnly: true,
    lenientIf: true,
    renderLimit: RENDER_MS,
    parseLimit: OUTPUT_CHARS_MAX,
    memoryLimit: OUTPUT_CHARS_MAX * 10,
    cache: true,
  });
}

const PARTIAL = /\{%-?\s*(?:render|include)\s+['"]([^'"]+)['"]/g;

/** Texts of the partials, and theirs: what else the rendered text is made of. */
function partsOf(prompts: Prompts, text: string, locale: string | undefined, seen = new Set<string>()): string[] {
  for (const [, name] of text.matchAll(PARTIAL)) {
    if (!name || seen.has(name) || !Object.hasOwn(prompts, name)) continue;
    seen.add(name);
    partsOf(prompts, variantOf(prompts[name]!, locale).text, locale, seen);
  }
  return [...seen].sort().map((name) => variantOf(prompts[name]!, locale).text);
}
