/** Is an answer to an ask of the own set right? Strict about what was asked for, lenient about the words around it. */
import type { Expected } from './asks/ask.ts';

export interface Answer {
  content: string;
  /** Names of the tools that are called first. */
  tools: readonly string[];
}

export function isRight(expected: Expected, { content, tools }: Answer): boolean {
  switch (expected.kind) {
    case 'number':
      return lastNumberOf(content) === expected.value;
    case 'words':
      return expected.all.every((word) => says(content, word)) && !expected.none?.some((word) => says(content, word));
    case 'line':
      return content.split('\n').some((line) => bare(line) === bare(expected.text));
    case 'order':
      return isInOrder(content, expected.names, expected.before);
    case 'json':
      return isSameJson(content, expected.value);
    case 'tools':
      return [...new Set(tools)].sort().join() === [...expected.names].sort().join();
    default: {
      const never: never = expected;
      throw new Error(`unknown kind ${JSON.stringify(never)}`);
    }
  }
}

/** Whoever thinks aloud ends with the answer. `1,200` and `1 200` are one number. */
function lastNumberOf(content: string): number | undefined {
  const last = content.match(/-?\d+(?:[ ,]\d{3})*(?:\.\d+)?/g)?.at(-1);
  return last === undefined ? undefined : Number(last.replaceAll(/[ ,]/g, ''));
}

function says(content: string, word: string): boolean {
  const at = content.toLowerCase().indexOf(word.toLowerCase());
  if (at === -1) return false;
  const rest = content.slice(at + word.length);
  const isPart = (char: string | undefined) => char !== undefined && /[\p{L}\p{N}]/u.test(char);
  if (!isPart(content[at - 1]) && !isPart(rest[0])) return true;
  return says(rest, word);
}

function bare(line: string): string {
  return line.trim().replaceAll(/^["'`“*]+|["'`”*.]+$/g, '');
}

function isInOrder(content: string, names: readonly string[], before: readonly (readonly [string, string])[]): boolean {
  const places = new Map(names.map((name) => [name, content.toLowerCase().lastIndexOf(name.toLowerCase())]));
  if ([...places.values()].includes(-1)) return false;
  return before.every(([first, second]) => places.get(first)! < places.get(second)!);
}

function isSameJson(content: string, value: unknown): boolean {
  try {
    return sorted(JSON.parse(content)) === sorted(value);
  } catch {
    return false;
  }
}

function sorted(value: unknown): string {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return JSON.stringify(value);
  return JSON.stringify(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
