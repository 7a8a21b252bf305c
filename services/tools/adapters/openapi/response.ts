/** What an HTTP answer says of a call: done, refused in words for the model, or no telling. */
import { ToolCallError, type ToolResult } from '../../ports/tool-source.ts';
import { isJson } from './operations.ts';

const REASON_CHARS_MAX = 300;
const RETRY_AFTER_MAX_MS = 60_000;

export interface Answer {
  status: number;
  type: string;
  retryAfter: string | null;
  text: string;
  /** Bytes beyond the limit were not read. */
  cut: boolean;
}

/** Throws ToolCallError when the answer does not tell whether the call took effect, or that it was put off. */
export function readAnswer(answer: Answer, isPure: boolean): ToolResult {
  const { status } = answer;
  if (status >= 200 && status < 300) return success(answer);
  if (status === 429)
    throw new ToolCallError('no', 'the server has too many requests (HTTP 429)', {
      code: 'overloaded',
      retryAfterMs: retryAfterMs(answer.retryAfter),
    });
  if (status >= 300 && status < 400) return redirect(status, isPure);
  if (status >= 400 && status < 500)
    return {
      content: `HTTP ${status}: ${answer.text.trim() || 'no reason given'}`,
      isError: true,
      notFound: status === 404,
    };
  throw new ToolCallError(
    'maybe',
    `the server answered HTTP ${status}: ${answer.text.trim().slice(0, REASON_CHARS_MAX)}`,
    {
      retryAfterMs: retryAfterMs(answer.retryAfter),
    },
  );
}

function success(answer: Answer): ToolResult {
  if (answer.text === '') return { content: `Done (HTTP ${answer.status}, no content).`, isError: false };
  if (answer.cut) return { content: `${answer.text}\n[Cut: the answer is longer than the limit.]`, isError: false };
  if (!isJson(answer.type)) return { content: answer.text, isError: false };
  try {
    const data: unknown = JSON.parse(answer.text);
    return { content: JSON.stringify(data), isError: false, data };
  } catch {
    return { content: answer.text, isError: false };
  }
}

/** 307 and 308 ask for the same request elsewhere, so nothing was done here; others often follow a change that was made. */
function redirect(status: number, isPure: boolean): ToolResult {
  const message = `The server redirects (HTTP ${status}), and redirects are not followed.`;
  if (isPure || status === 307 || status === 308) return { content: message, isError: true };
  throw new ToolCallError('maybe', message);
}

function retryAfterMs(header: string | null): number | undefined {
  const seconds = Number(header);
  return header && Number.isFinite(seconds) && seconds >= 0 ? Math.min(seconds * 1_000, RETRY_AFTER_MAX_MS) : undefined;
}
