/**
 * Where tools come from. Guarantees that every adapter gives:
 * - `call` sends the call at most once: retries are the broker's, which alone knows whether a repeat is safe.
 * - A result means that the remote answered this call, `isError` that it said no in words the model may act on.
 * - A failure is a `ToolCallError`; `sent: 'no'` only when the call provably never took effect (it never left, or was
 *   refused unseen). When in doubt it is `maybe`.
 * - Neither results nor errors hold values of `${NAME}` placeholders.
 */
import type { EffectKind, ErrorCode, JsonSchema, Label, ToolFace, ToolLabels, WithheldTool } from '@tutti/contracts';

export interface SourceTool {
  /** The source's own name of it. */
  name: string;
  description: string;
  parameters: JsonSchema;
  returns?: JsonSchema | undefined;
  effect: EffectKind;
  /** What the source itself knows of it, for where the bundle is silent. */
  labels?: ToolLabels | undefined;
}

export interface SourceListing {
  tools: SourceTool[];
  /** What could not be turned into a tool, in words. */
  problems: string[];
  /** Tools that nobody may see or call until they are approved. */
  withheld?: WithheldTool[];
  /** All that is offered now, of a source whose tools are pinned. */
  faces?: ToolFace[];
}

/** On whose behalf a call is made. Never told to a remote. */
export interface Asker {
  tenant: string;
  run?: string | undefined;
  /** The run at the top of its tree. */
  root?: string | undefined;
  session?: string | undefined;
}

export interface ToolCallOptions {
  /** Left out where nobody in particular asks (a probe, what an approver is shown). */
  asker?: Asker | undefined;
  /** Told to the remote so that it can recognise a repeat. Left out for pure calls. */
  idempotencyKey?: string | undefined;
  signal: AbortSignal;
  timeoutMs: number;
  /** Told what the remote says of how far it is. */
  onProgress?: ((text: string) => void) | undefined;
}

export interface ToolResult {
  /** JSON text of the tool's data, or plain text. */
  content: string;
  isError: boolean;
  /** The data itself, where the content is JSON. */
  data?: unknown;
  /** The remote says that there is no such thing. */
  notFound?: boolean;
  /** Of this very result, where the source knows better than the tool's own label (passages of a collection, say). */
  label?: Label;
}

export interface ToolSource {
  /** Is the listing the same for as long as the bundle is? Otherwise it is asked for again from time to time. */
  readonly isStatic: boolean;
  /** How long a listing is remembered; the service's own limit where it is left out. */
  readonly listTtlMs?: number;
  /** Grows when the source knows that its listing is another one by now. */
  readonly changes?: number;
  /** Throws TuttiError when the source cannot be asked right now. */
  list(signal: AbortSignal): Promise<SourceListing>;
  call(name: string, args: Record<string, unknown>, options: ToolCallOptions): Promise<ToolResult>;
  /** From now on these tools count as approved by `by`, as they are given here. Not there: nothing can be approved. */
  approve?(faces: ToolFace[], by: string, at: number): Promise<void>;
  close(): Promise<void>;
}

export class ToolCallError extends Error {
  /** Remotes repeat what they were sent: its message is content. */
  readonly quotes = true;
  override name = 'ToolCallError';
  readonly sent: 'no' | 'maybe';
  readonly code: Extract<ErrorCode, 'unavailable' | 'overloaded' | 'timeout'>;
  readonly retryAfterMs: number | undefined;
  constructor(
    sent: 'no' | 'maybe',
    message: string,
    options: { code?: ToolCallError['code']; retryAfterMs?: number | undefined } = {},
  ) {
    super(message);
    this.sent = sent;
    this.code = options.code ?? 'unavailable';
    this.retryAfterMs = options.retryAfterMs;
  }
}
