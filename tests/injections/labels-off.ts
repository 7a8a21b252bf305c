/**
 * Loaded with `node --import`: a Tutti that has no labels (every join is what it was before). What the suite then finds is
 * what the labels keep from happening.
 */
import { registerHooks } from 'node:module';

const JOIN = 'export function joinLabels(a: Label, b: Label): Label {';

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    if (!url.endsWith('/libs/contracts/src/labels.ts')) return loaded;
    const source = String(loaded.source);
    const mutant = source.replace(JOIN, `${JOIN}\n  if ((a.integrity as string) !== 'none') return a;`);
    if (mutant === source) throw new Error('joinLabels is not where it was: labels-off.ts has to follow it');
    return { ...loaded, source: mutant };
  },
});
