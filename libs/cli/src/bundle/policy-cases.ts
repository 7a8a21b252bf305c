/** `policies/tests/*.yaml|json` of a bundle's folder: its policy test cases. They are no part of the bundle itself. */
import { PolicyCases } from '@tutti/policy';
import type { z } from 'zod';
import { BundleFiles } from './files.ts';
import { Problems } from './problems.ts';

export const CASES_FOLDER = 'policies/tests';

export interface CasesFile {
  file: string;
  cases: z.output<typeof PolicyCases>['cases'];
}

/** Throws TuttiError `bundle_invalid` with every mistake's file and place. */
export function loadPolicyCases(dir: string): CasesFile[] {
  const problems = new Problems();
  const files = new BundleFiles(dir, problems);
  const found: CasesFile[] = [];
  for (const name of files.list(CASES_FOLDER, ['.yaml', '.yml', '.json'])) {
    const file = `${CASES_FOLDER}/${name}`;
    const data = files.object(file);
    if (!data) continue;
    const parsed = PolicyCases.safeParse(data);
    if (parsed.success) found.push({ file, cases: parsed.data.cases });
    else problems.addZod(file, parsed.error);
  }
  problems.throwIfAny(dir);
  return found;
}
