/** From what a tool answered to what is recorded and told: checked against its schema, cut to what a model may see, kept in full beside it. */
import type { Claim } from '@tutti/contracts';
import { readerOf } from '../core/reader.ts';
import { cutResult, excerptOf } from '../core/text.ts';
import type { ToolResult } from '../ports/tool-source.ts';
import type { BrokerDeps, Call } from './types.ts';

const PROBLEMS_CHARS_MAX = 500;

export interface ShapedResult {
  content: string;
  whole?: Claim;
}

/** Never throws: what was done is told, whatever its answer looks like. */
export async function shapeResult(
  deps: BrokerDeps,
  call: Call,
  result: Pick<ToolResult, 'content' | 'data' | 'isError' | 'label'>,
): Promise<ShapedResult> {
  const note = noteOn(deps, call, result);
  const { resultCharsMax } = deps.limits;
  if (result.content.length + note.length <= resultCharsMax) return { content: `${result.content}${note}` };
  const { request, tool } = call;
  try {
    const { tenant, run, root, session, callId } = request;
    const about = { tenant, run, root, session, callId, tool: tool.name, label: result.label ?? tool.trust.label };
    const { whole, reference } = await deps.results.keep(about, result.content);
    const reader = readerOf(await deps.bundle(request.bundle), request.agent);
    const how =
      reader === undefined
        ? undefined
        : (offset: number) => `To read on: ${reader} {"result":"${reference}","offset":${offset}}`;
    return { content: `${excerptOf(result.content, resultCharsMax - note.length, how)}${note}`, whole };
  } catch (error) {
    deps.log.warn({ err: error, callId: request.callId }, 'a large result could not be kept in full');
    return { content: `${cutResult(result.content, resultCharsMax - note.length)}${note}` };
  }
}

function noteOn(
  deps: BrokerDeps,
  { tool, request }: Call,
  { data, isError }: Pick<ToolResult, 'data' | 'isError'>,
): string {
  if (isError || data === undefined || !tool.returns) return '';
  let problems: string[];
  try {
    problems = deps.checker.problems(tool.name, tool.returns, data);
  } catch (error) {
    deps.log.warn({ err: error, tool: tool.name }, 'what a tool says that it returns is no usable schema');
    return '';
  }
  if (problems.length === 0) return '';
  deps.log.warn({ callId: request.callId, tool: tool.name, problems }, 'a result does not fit the schema of its tool');
  return `\n[This is not what ${tool.name} says that it returns: ${problems.join('; ').slice(0, PROBLEMS_CHARS_MAX)}]`;
}
