/** What an MCP server's answer says of a call: done, refused in words for the model, or no telling. */
import { type CallToolResult, ProtocolError, SdkError, SdkErrorCode } from '@modelcontextprotocol/client';
import { TuttiError } from '@tutti/contracts';
import type { Placeholders } from '../../core/placeholders.ts';
import { ToolCallError, type ToolCallOptions, type ToolResult } from '../../ports/tool-source.ts';
import { httpStatusOf, LOGIN_ADVICE, needsLogin, reasonOf } from './connection.ts';

/** JSON-RPC: parse error, invalid request, unknown method, invalid params: refused before anything ran. */
const REFUSED_CODES = [-32700, -32600, -32601, -32602];
const NOT_SENT_CODES: string[] = [SdkErrorCode.NotConnected, SdkErrorCode.CapabilityNotSupported];

export function readResult(result: CallToolResult, placeholders: Placeholders): ToolResult {
  const isError = result.isError === true;
  if (result.structuredContent !== undefined && !isError) return dataResult(result.structuredContent, placeholders);
  const content = placeholders.redact(result.content.map(textOf).join('\n'));
  return { content, isError, data: isError ? undefined : jsonIn(content) };
}

export function dataResult(data: unknown, placeholders: Placeholders): ToolResult {
  const content = placeholders.redact(JSON.stringify(data));
  return { content, isError: false, data: JSON.parse(content) };
}

export function textOf(part: CallToolResult['content'][number]): string {
  if (part.type === 'text') return part.text;
  if (part.type === 'resource' && 'text' in part.resource) return part.resource.text;
  if (part.type === 'resource_link') return part.uri;
  return `[${part.type} left out]`;
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Throws ToolCallError, or gives the refusal as a result. */
export function readFailure(error: unknown, options: ToolCallOptions, placeholders: Placeholders): ToolResult {
  if (error instanceof TuttiError || error instanceof ToolCallError) throw error;
  if (error instanceof ProtocolError && REFUSED_CODES.includes(error.code))
    return { content: placeholders.redact(`The server refuses the call: ${error.message}`), isError: true };
  if (options.signal.aborted) throw new ToolCallError('maybe', 'the call was given up');
  const code = error instanceof SdkError ? error.code : '';
  if (code === SdkErrorCode.RequestTimeout)
    throw new ToolCallError('maybe', `the MCP server did not answer within ${options.timeoutMs} ms`, {
      code: 'timeout',
    });
  if (needsLogin(error)) throw new ToolCallError('no', `the MCP server refused the request: ${LOGIN_ADVICE}`);
  const status = httpStatusOf(error);
  if (status !== undefined && status >= 400 && status < 500)
    throw new ToolCallError('no', `the MCP server refused the request (HTTP ${status})`);
  const cause = (error as { cause?: { code?: unknown } }).cause?.code;
  if (cause === 'ECONNREFUSED' || cause === 'OUTBOUND_REFUSED')
    throw new ToolCallError('no', `the MCP server cannot be reached (${reasonOf(error)})`);
  throw new ToolCallError(
    NOT_SENT_CODES.includes(code) ? 'no' : 'maybe',
    `the MCP server failed the call (${reasonOf(error)})`,
  );
}
