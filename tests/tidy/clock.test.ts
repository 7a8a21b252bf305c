/** Time and chance come in through the context: what runs in the simulator must not reach for the machine's own. */
import { globSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
/** What the simulator runs as it is. */
const SIMULATED = [
  'services/planner/{core,shell,ports}/**/*.ts',
  'libs/runtime/src/{caller,receiver,work,bundles}.ts',
  'libs/testkit/src/{memory-*,virtual-*,random}.ts',
  'tests/simulation/**/*.ts',
];
/** Places of the simulator's own that stand outside of its time. */
const OUTSIDE = ['tests/simulation/cli.ts', 'tests/simulation/pool.ts'];
const AMBIENT =
  /\b(Date\.now|performance\.now|Math\.random|randomBytes|randomUUID|randomFillSync|setTimeout|setInterval|setImmediate|queueMicrotask|process\.hrtime|new Date\(\))/;
/** The one door of the virtual clock to the event loop, and ids' default for callers that give no chance of their own. */
const DOORS: Record<string, RegExp> = {
  'libs/testkit/src/virtual-clock.ts': /setImmediate/,
  'libs/runtime/src/caller.ts': /randomUUID/,
};

const files = SIMULATED.flatMap((pattern) => globSync(pattern, { cwd: root }))
  .map((file) => file.replaceAll('\\', '/'))
  .filter((file) => !file.endsWith('.test.ts') && !OUTSIDE.includes(file));

function ambientIn(file: string): string[] {
  const code = readFileSync(join(root, file), 'utf8')
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/\/\/.*$/gm, '');
  return code
    .split('\n')
    .filter((line) => AMBIENT.test(line) && !DOORS[file]?.test(line))
    .map((line) => `${file}: ${line.trim()}`);
}

describe('time and chance', () => {
  test('there is something to look at', () => {
    expect(files.filter((file) => file.startsWith('services/planner/shell/')).length).toBeGreaterThan(10);
    expect(AMBIENT.test('const at = Date.now();')).toBe(true);
  });

  test('come to the simulated code from outside alone', () => {
    expect(files.flatMap(ambientIn)).toEqual([]);
  });
});
