/** How well support by words tells sentences that a passage says from sentences of other passages, on the example's documents. */
import { globSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { groundednessOf } from './groundedness.ts';

const root = resolve(import.meta.dirname, '../../..');
const sections = globSync('examples/travel/knowledge/**/*.md', { cwd: root }).flatMap((file) =>
  readFileSync(join(root, file), 'utf8')
    .split(/\n#+ .*\n/)
    .map((text) => text.trim())
    .filter((text) => text.length > 200),
);
/** What an answer may make of it: its order and some of its words are not the source's. */
const reworded = (sentence: string) =>
  sentence
    .replace(/\bmust not\b/g, 'may not')
    .replace(/\bshall\b/g, 'should')
    .replace(/^(.{20,60}?), (.+)\.$/, '$2, $1.');

it('tells them apart', () => {
  expect(sections.length).toBeGreaterThan(20);
  const said: number[] = [];
  const foreign: number[] = [];
  const changed: number[] = [];
  sections.forEach((section, index) => {
    const evidence = [section, sections[(index + 1) % sections.length]!];
    const elsewhere = sections[(index + Math.floor(sections.length / 2)) % sections.length]!;
    const sentences = (text: string) =>
      text.split(/(?<=[.!?])\s+/).filter((one) => one.length > 60 && !one.includes('|'));
    for (const sentence of sentences(section).slice(0, 3)) {
      said.push(groundednessOf(reworded(sentence), evidence).score);
      const number = /\b\d{2,4}\b/.exec(sentence)?.[0];
      if (number)
        changed.push(groundednessOf(sentence.replaceAll(number, String(Number(number) + 37)), evidence).score);
    }
    for (const sentence of sentences(elsewhere).slice(0, 3)) foreign.push(groundednessOf(sentence, evidence).score);
  });
  const below = (scores: number[]) => scores.filter((score) => score < 0.6).length / scores.length;
  const auc =
    said.reduce((sum, a) => sum + foreign.reduce((wins, b) => wins + (a > b ? 1 : a === b ? 0.5 : 0), 0), 0) /
    (said.length * foreign.length);
  console.info(
    `AUC ${auc.toFixed(3)}; below 0.6: said ${below(said).toFixed(3)} of ${said.length}, of other passages ${below(foreign).toFixed(3)} of ${foreign.length}, with a changed number ${below(changed).toFixed(3)} of ${changed.length}`,
  );
  expect(auc).toBeGreaterThan(0.95);
  expect(below(said)).toBeLessThan(0.05);
  expect(below(foreign)).toBeGreaterThan(0.9);
  expect(below(changed)).toBeGreaterThan(0.85);
});
