/** What an agent reads on with in a result of which it has seen an excerpt. Pure. */
import { type Bundle, fitsAny, isTaken } from '@tutti/contracts';
import { toolName } from './text.ts';

export const READ_RESULT = 'read_result';

/** The tool's name as the agent knows it. Undefined: the bundle does not give it one. */
export function readerOf({ agents, tools }: Bundle, agent: string): string | undefined {
  const own = Object.hasOwn(agents, agent) ? agents[agent]!.tools : [];
  const names = Object.values(tools).flatMap((manifest) =>
    manifest.type === 'builtin' && isTaken(manifest, READ_RESULT) ? [toolName(manifest.prefix, READ_RESULT)!] : [],
  );
  // A name that two sources claim is none.
  return names.find((name) => fitsAny(name, own) && names.indexOf(name) === names.lastIndexOf(name));
}
