/**
 * Turns live tokens into text that may be sent to a client that cannot take anything back. Pure.
 * Invariants: what was sent of a call is a true prefix of one attempt at it, and of what the journal says it answered.
 * A new attempt is let through only as far as it begins with what was sent; where it differs, the stream is broken and
 * says so: two answers are never spliced. What a model says before it calls a tool stays as a paragraph of its own.
 */
export interface Token {
  callId: string;
  attempt: number;
  text: string;
}

const PARAGRAPH = '\n\n';

export class AnswerStream {
  /** Model calls whose text people may see (`plan` is for the planner alone), by what we know of them. */
  readonly #visible = new Map<string, boolean>();
  /** Tokens that came before the entry that announces their call. */
  #held: Token[] = [];
  #callId = '';
  #attempt = 0;
  /** What went out of the current call. */
  #sent = '';
  /** What the current attempt has said so far. */
  #said = '';
  /** The journal's word on the current call, once it is there. */
  #answered: { preamble: boolean } | null = null;
  #begun = false;
  #broken = false;

  get broken(): boolean {
    return this.#broken;
  }
  /** Whether anything went out. */
  get begun(): boolean {
    return this.#begun;
  }

  /** A model call was asked for. */
  requested(callId: string, visible: boolean): string {
    this.#visible.set(callId, visible);
    const mine = this.#held.filter((token) => token.callId === callId);
    this.#held = this.#held.filter((token) => token.callId !== callId);
    return mine.map((token) => this.token(token)).join('');
  }

  /** Text to send now, which may be empty. */
  token(token: Token): string {
    const visible = this.#visible.get(token.callId);
    if (visible === undefined) this.#held.push(token);
    if (this.#broken || !visible || (token.callId === this.#callId && this.#answered)) return '';
    if (token.callId !== this.#callId) return this.#open(token);
    if (token.attempt < this.#attempt) return '';
    if (token.attempt > this.#attempt) {
      this.#attempt = token.attempt;
      this.#said = '';
    }
    this.#said += token.text;
    return this.#flush();
  }

  /** The journal holds the call's answer; `preamble`: tools are called before the real one. Text to send now. */
  answered(callId: string, content: string, preamble: boolean): string {
    if (this.#broken || callId !== this.#callId) return '';
    this.#said = content;
    const rest = this.#flush();
    if (content.trim() !== this.#sent.trim()) this.#broken = true;
    this.#answered = { preamble };
    return rest;
  }

  /** The run is complete: the rest of its output to send, or null where what was sent is no part of it. */
  finish(output: string): string | null {
    if (this.#broken) return null;
    if (!this.#begun || this.#answered?.preamble) return this.note(output);
    if (output.startsWith(this.#sent)) return this.#count(output.slice(this.#sent.length));
    return output.trim() === this.#sent.trim() ? '' : null;
  }

  /** A text of our own after whatever was sent. */
  note(text: string): string {
    return this.#count(this.#begun && text ? `${PARAGRAPH}${text}` : text);
  }

  #open(token: Token): string {
    const separator = this.#begun ? PARAGRAPH : '';
    this.#callId = token.callId;
    this.#attempt = token.attempt;
    this.#said = token.text;
    this.#sent = '';
    this.#answered = null;
    const text = this.#flush();
    return text && separator + text;
  }

  #flush(): string {
    const fits = this.#said.startsWith(this.#sent) || this.#sent.startsWith(this.#said);
    if (!fits) this.#broken = true;
    if (!fits || this.#said.length <= this.#sent.length) return '';
    const fresh = this.#said.slice(this.#sent.length);
    this.#sent = this.#said;
    return this.#count(fresh);
  }

  #count(text: string): string {
    if (text) this.#begun = true;
    return text;
  }
}
