/** What a bundle says of calls of models beyond the models themselves: `budgets.yaml`, `privacy.yaml` and `prompts/<name>.yaml`. */
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { BudgetManifest, type Bundle, Name, PrivacyPolicy, PromptManifest } from '@tutti/contracts';
import { problemsOfPrompts } from '@tutti/router/prompts';
import type { BundleFiles } from './files.ts';
import type { Problems } from './problems.ts';

const TEXT_PATH = /^\S+\.(md|txt|liquid)$/;

export function loadCallRules(
  files: BundleFiles,
  problems: Problems,
  agents: Bundle['agents'],
): Pick<Bundle, 'budgets' | 'privacy' | 'prompts'> {
  const budgets = loadBudgets(files, problems, agents);
  const privacy = loadPrivacy(files, problems);
  const prompts = loadPrompts(files, problems);
  for (const { name, prompt } of Object.values(agents))
    if (prompt && !Object.hasOwn(prompts ?? {}, prompt.name))
      problems.add(
        `agents/${name}.yaml`,
        `there is no prompt "${prompt.name}": add prompts/${prompt.name}.yaml`,
        'prompt',
      );
  return { ...(budgets ? { budgets } : {}), ...(privacy ? { privacy } : {}), ...(prompts ? { prompts } : {}) };
}

function optional(files: BundleFiles, file: string): Record<string, unknown> | undefined {
  return existsSync(join(files.root, file)) ? files.object(file) : undefined;
}

function loadBudgets(files: BundleFiles, problems: Problems, agents: Bundle['agents']): Bundle['budgets'] {
  const file = 'budgets.yaml';
  const data = optional(files, file);
  if (!data) return undefined;
  const budgets: NonNullable<Bundle['budgets']> = {};
  for (const [name, given] of Object.entries(data)) {
    const named = Name.safeParse(name);
    const parsed = BudgetManifest.safeParse(given);
    if (!named.success) problems.add(file, `a budget's name ${named.error.issues[0]?.message}`, name);
    if (!parsed.success)
      for (const issue of parsed.error.issues) problems.add(file, issue.message, [name, ...issue.path].join('.'));
    if (!named.success || !parsed.success) continue;
    for (const agent of parsed.data.agents ?? [])
      if (!Object.values(agents).some((one) => one.name === agent))
        problems.add(file, `there is no agent "${agent}"`, `${name}.agents`);
    budgets[name] = parsed.data;
  }
  return budgets;
}

function loadPrivacy(files: BundleFiles, problems: Problems): Bundle['privacy'] {
  const file = 'privacy.yaml';
  const data = optional(files, file);
  if (!data) return undefined;
  const parsed = PrivacyPolicy.safeParse(data);
  if (!parsed.success) return void problems.addZod(file, parsed.error);
  for (const [word, pattern] of Object.entries(parsed.data.patterns)) {
    try {
      if (new RegExp(pattern, 'gu').test('')) problems.add(file, 'matches nothing at all', `patterns.${word}`);
    } catch (error) {
      problems.add(file, (error as Error).message, `patterns.${word}`);
    }
  }
  return parsed.data;
}

function loadPrompts(files: BundleFiles, problems: Problems): Bundle['prompts'] {
  const prompts: NonNullable<Bundle['prompts']> = {};
  const names = files.list('prompts', ['.yaml', '.yml']);
  for (const source of names) {
    const file = `prompts/${source}`;
    const name = basename(source).replace(/\.ya?ml$/, '');
    const named = Name.safeParse(name);
    if (!named.success) problems.add(file, `the file's name ${named.error.issues[0]?.message}`);
    const data = files.object(file);
    if (!data || !named.success) continue;
    const parsed = PromptManifest.safeParse(withTexts(data, file, files));
    if (parsed.success) prompts[name] = parsed.data;
    else problems.addZod(file, parsed.error);
  }
  if (names.length === 0) return undefined;
  for (const { prompt, problem } of problemsOfPrompts(prompts)) problems.add(`prompts/${prompt}.yaml`, problem, 'text');
  return prompts;
}

/** A text that is one word with such an ending is a path. */
function withTexts(data: Record<string, unknown>, file: string, files: BundleFiles): Record<string, unknown> {
  const read = (value: unknown, path: string) =>
    typeof value === 'string' && TEXT_PATH.test(value.trim())
      ? (files.text(value.trim(), file, path) ?? 'unreadable')
      : value;
  const { locales } = data;
  const variants =
    locales !== null && typeof locales === 'object' && !Array.isArray(locales)
      ? Object.fromEntries(Object.entries(locales).map(([locale, text]) => [locale, read(text, `locales.${locale}`)]))
      : locales;
  return { ...data, text: read(data.text, 'text'), ...(variants === undefined ? {} : { locales: variants }) };
}
