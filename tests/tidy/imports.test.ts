/** Dependency direction: contracts ← runtime, policy ← services; services never import each other; `core/` imports contracts alone. */
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { SERVICES } from '@tutti/contracts';
import { describe, expect, test } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
const sources = globSync('{libs,services,examples}/**/*.ts', {
  cwd: root,
  exclude: (path) => path.includes('node_modules'),
}).filter((path) => !path.includes('node_modules'));

interface Import {
  file: string;
  specifier: string;
  typeOnly: boolean;
}

function importsOf(file: string): Import[] {
  const code = readFileSync(join(root, file), 'utf8');
  const found = [
    ...code.matchAll(
      /^\s*(?:import|export)\s+(type\s)?[^'"`;]*?from\s+['"]([^'"]+)['"]|^\s*import\s+['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)/gm,
    ),
  ];
  return found.map((match) => ({
    file,
    specifier: (match[2] ?? match[3] ?? match[4])!,
    typeOnly: match[1] !== undefined,
  }));
}

const isTest = (file: string) => /\.test\.ts$|test-support|fixtures|test-kit|contract\.ts$|bench\.ts$/.test(file);
const imports = sources.flatMap(importsOf);
const production = imports.filter((item) => !isTest(item.file));
const list = (items: Import[]) => items.map((item) => `${item.file} imports ${item.specifier}`);

/** The file that a relative import names, from the repository's root. */
const target = (item: Import) =>
  relative(root, resolve(root, dirname(item.file), item.specifier))
    .split(sep)
    .join('/');

describe('imports', () => {
  test('there is something to look at', () => {
    expect(production.length).toBeGreaterThan(100);
  });

  test('contracts import zod and what Node itself has, nothing else', () => {
    const wrong = production.filter(
      (item) =>
        item.file.startsWith('libs/contracts/') &&
        !item.specifier.startsWith('.') &&
        !['zod', 'node:crypto'].includes(item.specifier),
    );
    expect(list(wrong)).toEqual([]);
  });

  test('the runtime alone imports NATS and the OpenTelemetry SDK', () => {
    // Workers are processes of somebody else's, which know nothing of Tutti but the protocol.
    const isOutside = (file: string) => file.startsWith('libs/runtime/') || file.startsWith('examples/workers/');
    const wrong = production.filter(
      (item) => /^(nats|@nats-io\/|@opentelemetry\/)/.test(item.specifier) && !isOutside(item.file),
    );
    expect(list(wrong)).toEqual([]);
  });

  test('libraries do not import services, except for the command line', () => {
    const services = SERVICES.map((name) => `@tutti/${name}`);
    const wrong = production.filter(
      (item) =>
        item.file.startsWith('libs/') && !item.file.startsWith('libs/cli/') && services.includes(item.specifier),
    );
    expect(list(wrong)).toEqual([]);
  });

  test('services import libraries, never each other', () => {
    const wrong = imports.filter((item) => {
      const own = /^services\/([^/]+)\//.exec(item.file)?.[1];
      if (!own) return false;
      if (item.specifier.startsWith('.')) return !target(item).startsWith(`services/${own}/`);
      return (
        SERVICES.some((name) => name !== own && item.specifier === `@tutti/${name}`) || item.specifier === '@tutti/cli'
      );
    });
    expect(list(wrong)).toEqual([]);
  });

  test('core/ imports contracts and itself alone, and is pure: no file, network, clock or chance', () => {
    const core = production.filter((item) => /^services\/[^/]+\/core\//.test(item.file));
    const wrong = core.filter((item) => {
      if (item.specifier.startsWith('.')) return !/\/core\//.test(target(item));
      return !['@tutti/contracts', 'zod'].includes(item.specifier) && !item.typeOnly;
    });
    expect(list(wrong)).toEqual([]);
    const impure = sources
      .filter((file) => /^services\/[^/]+\/core\//.test(file) && !isTest(file))
      .filter((file) =>
        /\bawait\b|Date\.now\(|Math\.random\(|performance\.now|new Date\(\)|process\.env|setTimeout\(/.test(
          stripComments(readFileSync(join(root, file), 'utf8')),
        ),
      );
    expect(impure).toEqual([]);
  });

  test('no TODO is left in the code', () => {
    const marks = new RegExp(['TO', 'DO|FIX', 'ME|XX', 'X'].join(''));
    expect(sources.filter((file) => marks.test(readFileSync(join(root, file), 'utf8')))).toEqual([]);
  });
});

function stripComments(code: string): string {
  return code.replace(/\/\*[\s\S]*?\*\//g, '').replace(/\/\/.*$/gm, '');
}
