/** Whether a tool's error says how to mend the call ("must be one of …", "did you mean …"), and the mended arguments. */
import type { Parameter } from './parameters.ts';
import type { Observation } from './results.ts';
import { accepts, coerce, setAt } from './schema.ts';
import type { Tool } from './toolbox.ts';
import { humanize } from './words.ts';

const SUGGESTION = /(?:did you mean|use|try|instead of [^:]+:|perhaps)\s*:?\s*["'“`]([^"'”`]{1,80})["'”`]/i;
const CODE_SUGGESTION = /(?:did you mean|use|try)\s*:?\s+([A-Z0-9][A-Z0-9_-]{1,20})\b/;
const ONE_OF =
  /(?:must be one of|expected one of|allowed(?: values)?(?: are)?|valid (?:values|options)(?: are)?|one of)\s*:?\s*\[?([^\].\n]+)/i;
const AT_MOST =
  /(?:must be (?:<=|at most|less than or equal to)|maximum(?: is)?|at most|no more than)\s*(-?\d+(?:\.\d+)?)/i;
const AT_LEAST = /(?:must be (?:>=|at least|greater than or equal to)|minimum(?: is)?|at least)\s*(-?\d+(?:\.\d+)?)/i;

/** New arguments, or null where the error names no better value for one of the given ones. */
export function mendedArguments(tool: Tool, call: Observation): Record<string, unknown> | null {
  const text = call.text;
  const named = (parameter: Parameter): boolean =>
    new RegExp(`\\b(?:${parameter.name}|${humanize(parameter.name).replace(/ /g, '[ _-]?')})\\b`, 'i').test(text);
  const given = tool.parameters.filter(
    (parameter) =>
      parameter.path.length === 1 &&
      Object.hasOwn(call.arguments, parameter.name) &&
      typeof call.arguments[parameter.name] !== 'object',
  );
  const quoted = (parameter: Parameter): boolean =>
    String(call.arguments[parameter.name]).length > 1 &&
    text.toLowerCase().includes(String(call.arguments[parameter.name]).toLowerCase());
  const suspects = [...given.filter(named), ...given.filter((one) => !named(one) && quoted(one))];
  for (const parameter of suspects) {
    const old = call.arguments[parameter.name];
    const raw = suggestion(text, old);
    if (raw === null) continue;
    const value = coerce(raw, parameter.schema);
    if (value === undefined || value === old || !accepts(value, parameter.schema, parameter.schema)) continue;
    const next = { ...call.arguments };
    setAt(next, [parameter.name], value);
    return next;
  }
  return null;
}

function suggestion(text: string, old: unknown): unknown {
  const direct = text.match(SUGGESTION)?.[1] ?? text.match(CODE_SUGGESTION)?.[1];
  if (direct && direct.toLowerCase() !== String(old).toLowerCase()) return direct;
  const options =
    text
      .match(ONE_OF)?.[1]
      ?.split(/\s*(?:,|\||\bor\b|\band\b)\s*/)
      .map((one) => one.replace(/^["'`\s]+|["'`\s]+$/g, ''))
      .filter(Boolean) ?? [];
  const same = options.find(
    (one) =>
      one.toLowerCase().startsWith(String(old).toLowerCase().slice(0, 3)) ||
      String(old).toLowerCase().includes(one.toLowerCase()),
  );
  if (same) return same;
  if (typeof old !== 'number') return null;
  const most = text.match(AT_MOST)?.[1];
  if (most !== undefined && old > Number(most)) return null; // Less than was asked for is the user's decision.
  const least = text.match(AT_LEAST)?.[1];
  return least !== undefined && old < Number(least) ? null : null;
}
