/** Inputs that made the state machine throw. The first time again, an input is taken in as the end of its run; if even that throws, not at all. */
import type { Input } from '../core/decide.ts';

const SUSPECTS_MAX = 1_000;

/** What an input is recognised by when it comes again. */
export function keyOf(input: Input): string | undefined {
  if (input.kind === 'inbound') return `in:${input.sequence}`;
  if (input.kind === 'result') return `call:${input.run}/${input.callId}`;
  if (input.kind === 'poisoned') return input.key;
  return undefined;
}

export class Suspects {
  readonly #known = new Map<string, { times: number; reason: string }>();

  add(input: Input, reason: string): void {
    const key = keyOf(input);
    if (key === undefined) return;
    this.#known.set(key, { times: (this.#known.get(key)?.times ?? 0) + 1, reason });
    if (this.#known.size > SUSPECTS_MAX) this.#known.delete(this.#known.keys().next().value as string);
  }

  reasonOf(input: Input): string {
    return this.#known.get(keyOf(input) ?? '')?.reason ?? 'it cannot be taken in';
  }

  harmless(input: Input): Input {
    if (this.#known.size === 0 || (input.kind !== 'inbound' && input.kind !== 'result')) return input;
    const key = keyOf(input)!;
    const suspect = this.#known.get(key);
    if (!suspect) return input;
    const sequence = input.kind === 'inbound' ? input.sequence : null;
    if (suspect.times > 1) return sequence === null ? { kind: 'tick' } : { kind: 'skip', sequence };
    return {
      kind: 'poisoned',
      key,
      sequence,
      run: input.kind === 'inbound' ? input.message.run : input.run,
      reason: suspect.reason,
      ...(input.kind === 'inbound' ? { message: input.message } : {}),
    };
  }
}
