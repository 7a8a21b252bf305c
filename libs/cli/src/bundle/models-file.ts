/** `models.yaml`: the catalogue of models of a bundle, and what the agents say of it. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Bundle, ModelName, ModelSections, Name, problemsOfModels } from '@tutti/contracts';
import type { BundleFiles } from './files.ts';
import type { Problems } from './problems.ts';

const FILE = 'models.yaml';

export function loadModels(files: BundleFiles, problems: Problems, agents: Bundle['agents']): ModelSections {
  const data = existsSync(join(files.root, FILE)) ? files.object(FILE) : {};
  if (!data) return {};
  const parsed = ModelSections.safeParse(data);
  if (!parsed.success) {
    for (const issue of parsed.error.issues) problems.add(FILE, said(issue, data), issue.path.join('.'));
    return {};
  }
  for (const { path, message } of problemsOfModels(parsed.data, agents)) {
    const [section, name, ...rest] = path;
    if (section === 'agents') problems.add(`agents/${name}.yaml`, message, rest.join('.'));
    else problems.add(FILE, message, path.join('.'));
  }
  return parsed.data;
}

/** A record's key that is wrong is only called "invalid" by zod. */
function said(
  issue: { message: string; path: PropertyKey[]; code?: string | undefined },
  data: Record<string, unknown>,
): string {
  if (issue.code !== 'invalid_key') return issue.message;
  const [section] = issue.path;
  const schema = section === 'models' ? ModelName : Name;
  const names = Object.keys((data[String(section)] as object | undefined) ?? {});
  const problem = names.flatMap((name) => schema.safeParse(name).error?.issues[0]?.message ?? [])[0];
  return problem ? `the name ${problem}` : issue.message;
}
