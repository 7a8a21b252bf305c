/** Tools that results mention but the request does not offer. Owns reading what their names alone tell. */
import type { Situation } from './situation.ts';
import { readTool, type Tool } from './toolbox.ts';

const strangers = new Map<string, Tool>();
const STRANGERS_MAX = 500;
/** A tool that results mention but this request does not offer, known by its name alone. */
export function toolOf(situation: Situation, name: string): Tool {
  const known = situation.toolByName.get(name) ?? strangers.get(name);
  if (known) return known;
  const stranger = readTool({ name, description: '', parameters: {}, effect: 'pure' });
  if (strangers.size < STRANGERS_MAX) strangers.set(name, stranger);
  return stranger;
}
