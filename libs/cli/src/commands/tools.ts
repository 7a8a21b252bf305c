/** `tutti tools`: what sources offer, what is withheld and why, and its approval after a look at what has changed. */
import {
  canonicalJson,
  faceHash,
  type SourcesResult,
  type ToolFace,
  TuttiError,
  type WithheldTool,
} from '@tutti/contracts';
import { stringify } from 'yaml';
import { oneLine, safe } from '../chat/format.ts';
import { type Api, createApi } from '../client/api.ts';
import { EXIT } from '../report.ts';
import { dim, green, red, yellow } from '../style.ts';
import { table } from '../table.ts';

const DESCRIPTION_CHARS_MAX = 70;
const HASH_CHARS_SHOWN = 12;

type Source = SourcesResult['sources'][number];
export interface ToolsOptions {
  url?: string;
}

async function sourcesOf(api: Api, fresh: boolean): Promise<Source[]> {
  return (await api.get<{ data: Source[] }>(`/v1/tools?fresh=${fresh}`)).data;
}

function oneOf(sources: Source[], name: string): Source {
  const source = sources.find((one) => one.name === name);
  if (source) return source;
  const there = sources.map((one) => one.name).join(', ') || 'none';
  throw new TuttiError('not_found', `there is no tool source "${name}" (there: ${there})`);
}

export async function listTools({ url }: ToolsOptions): Promise<number> {
  const sources = await sourcesOf(createApi(url), false);
  const rows = sources.flatMap((source) => [
    ...source.tools.map(({ name, effect, description }) => [source.name, name, effect, short(description)]),
    ...source.withheld.map(({ name, why }) => [source.name, visible(name), yellow('withheld'), why]),
  ]);
  if (rows.length === 0) console.log(dim('no tools'));
  else console.log(table(['SOURCE', 'TOOL', 'EFFECT', 'DESCRIPTION'], rows));
  for (const { name, problems } of sources)
    for (const problem of problems) console.log(yellow(`${name}: ${visible(problem)}`));
  return EXIT.ok;
}

/** Exit code 1 while something is withheld, so that a script notices. */
export async function reviewTools({ url }: ToolsOptions): Promise<number> {
  const sources = await sourcesOf(createApi(url), true);
  for (const source of sources) for (const tool of source.withheld) show(source.name, tool);
  const count = sources.reduce((sum, { withheld }) => sum + withheld.length, 0);
  if (count === 0) console.log(green('nothing is withheld: every tool is described as it was approved'));
  return count === 0 ? EXIT.ok : EXIT.failed;
}

/** Approves what it has just shown: a server that says something else a moment later is refused by its hash. */
export async function approveTools(name: string, tools: string[], options: ToolsOptions): Promise<number> {
  const api = createApi(options.url);
  const source = oneOf(await sourcesOf(api, true), name);
  const chosen = source.withheld.filter((tool) => tools.length === 0 || tools.includes(tool.name));
  const unknown = tools.filter((tool) => !chosen.some((one) => one.name === tool));
  if (unknown.length > 0)
    throw new TuttiError('not_found', `nothing of that name is withheld: ${unknown.map(visible).join(', ')}`);
  if (chosen.length === 0) {
    console.log(dim(`nothing of "${name}" is withheld`));
    return EXIT.ok;
  }
  for (const tool of chosen) show(name, tool);
  const hashes = Object.fromEntries(chosen.map((tool) => [tool.name, tool.hash]));
  await api.send('POST', '/v1/tools/approve', { source: name, tools: hashes });
  console.log(green(`approved: ${chosen.map((tool) => visible(tool.name)).join(', ')}`));
  return EXIT.ok;
}

/** All that the source offers now as a file for its `pins`. */
export async function printPins(name: string, { url }: ToolsOptions): Promise<number> {
  const { faces, type } = oneOf(await sourcesOf(createApi(url), true), name);
  if (type !== 'mcp') throw new TuttiError('invalid_request', `only MCP servers have pins, and "${name}" is ${type}`);
  const pins = Object.fromEntries(faces.map((face) => [face.name, { hash: faceHash(face), face }]));
  process.stdout.write(stringify(pins));
  return EXIT.ok;
}

const FIELDS = ['title', 'description', 'inputSchema', 'outputSchema', 'annotations'] as const;

function show(source: string, { name, why, pinned, offered, hash }: WithheldTool): void {
  console.log(`${yellow(why)}  ${source} / ${visible(name)}  ${dim(hash.slice(0, HASH_CHARS_SHOWN))}`);
  for (const field of FIELDS) {
    const [before, now] = [textOf(pinned, field), textOf(offered, field)];
    if (before === now && pinned) continue;
    if (before !== undefined) console.log(red(indented(`- ${field}: ${before}`)));
    if (now !== undefined) console.log(green(indented(`+ ${field}: ${now}`)));
  }
}

function textOf(face: ToolFace | undefined, field: (typeof FIELDS)[number]): string | undefined {
  const value = face?.[field];
  return value === undefined ? undefined : visible(typeof value === 'string' ? value : canonicalJson(value));
}

function indented(text: string): string {
  return text
    .split('\n')
    .map((line) => `    ${line}`)
    .join('\n');
}

function short(text: string): string {
  return oneLine(visible(text), DESCRIPTION_CHARS_MAX);
}

/**
 * What a terminal would hide or obey, as its code: control characters, characters without a shape, marks that turn the
 * direction of text, and the "tags" that a model reads and a person does not see.
 */
export function visible(text: string): string {
  const shown = text.replace(
    /(?![\n\t])(?:[\p{Cc}\p{Cf}\p{Co}\p{Cn}\u{115f}\u{1160}\u{3164}\u{ffa0}\u{2028}\u{2029}]|[\u{e0100}-\u{e01ef}])/gu,
    (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
  return safe(shown);
}
