/**
 * A provider: one way to talk to models. Guarantees that every adapter gives:
 * - `complete` resolves only with a whole answer: a stream that breaks off is a failure.
 * - It rejects with a ModelFailure whose kind says what may follow, and with `cancelled` soon after `signal` aborts;
 *   the abort reaches the socket.
 * - One call is one try: no retries of failures inside. (Asking again without a parameter that the endpoint refuses is
 *   not a retry: nothing was answered.)
 * - The pieces given to `onText`, joined, are the beginning of the text; none comes after it has settled.
 * - Tool call arguments are objects. Usage is always there, estimated where the endpoint does not say.
 */
import type { ChatRequest, ChatResponse } from '@tutti/contracts';

export interface CompleteOptions {
  model: string;
  signal: AbortSignal;
  /** Asks for a stream; called with each piece of text. */
  onText?: ((text: string) => void) | undefined;
  /** Called whenever something came in; `chars`: of text and tool arguments. */
  onActivity?: ((chars: number) => void) | undefined;
}

export interface ModelProvider {
  readonly name: string;
  /** Asked the same again it says the same again, so that it is not worth asking. */
  readonly deterministic?: boolean;
  complete(request: ChatRequest, options: CompleteOptions): Promise<ChatResponse>;
}
