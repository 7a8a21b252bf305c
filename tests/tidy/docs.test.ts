/** What the docs list is what the code has. */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { ERRORS } from '@tutti/contracts';
import { expect, test } from 'vitest';

const root = resolve(import.meta.dirname, '../..');

test('docs/errors.md lists every error code with its status, and no other', () => {
  const text = readFileSync(join(root, 'docs/errors.md'), 'utf8');
  const rows = [...text.matchAll(/^\| `([a-z_]+)` \| (\d{3}) \| (yes|no) \| (.+?) \|$/gm)].map((row) => [
    row[1],
    Number(row[2]),
    row[3] === 'yes',
    row[4],
  ]);
  const expected = Object.entries(ERRORS).map(([code, info]) => [code, info.status, info.retryable, info.text]);
  expect(rows).toEqual(expected);
});

test('links between the documents lead somewhere', () => {
  const documents = globSync('{*.md,docs/**/*.md,services/*/README.md,libs/*/README.md,examples/*/README.md}', {
    cwd: root,
  });
  const broken = documents.flatMap((file) => {
    const text = readFileSync(join(root, file), 'utf8');
    return [...text.matchAll(/\]\((?!https?:|#|mailto:)([^)\s#]+)(?:#[^)]*)?\)/g)]
      .map((match) => match[1]!)
      .filter((link) => !existsSync(resolve(root, dirname(file), link)))
      .map((link) => `${file}: ${link}`);
  });
  expect(broken).toEqual([]);
});

test('package-lock.json names every optional package of its packages, for every platform', () => {
  // Where a registry lacks some of them, `npm install` leaves them out and `npm ci` then fails everywhere.
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { optionalDependencies?: Record<string, string> }>;
  };
  const missing = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).filter(
      (name) => !packages[`node_modules/${name}`] && !packages[`${path}/node_modules/${name}`],
    ),
  );
  expect(missing).toEqual([]);
});
