/**
 * Loaded with `node --import`: makes the process a service of the next version, which writes a later log format. All else
 * is as it is: what a later version writes into a batch is nothing that an earlier one may look at.
 */
import { registerHooks } from 'node:module';

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    if (!url.endsWith('/libs/contracts/src/log.ts')) return loaded;
    const source = String(loaded.source);
    const later = source.replace(/(export const LOG_FORMAT = )(\d+)/, (_, name, format) => name + (Number(format) + 1));
    if (later === source) throw new Error('LOG_FORMAT is not where it was: next-version.ts has to follow it');
    return { ...loaded, source: later };
  },
});
