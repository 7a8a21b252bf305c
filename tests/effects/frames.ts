/**
 * The NATS protocol as frames, no more than is needed to stop one message and let the others pass. Source: the client
 * protocol's documentation (PUB, HPUB, MSG and HMSG carry a payload, all else is one line).
 */
const CRLF = Buffer.from('\r\n');
const text = new TextDecoder();

export interface Frame {
  /** As it came, to be passed on unchanged. */
  raw: Buffer;
  /** Of a message; empty where it is none. */
  subject: string;
  reply: string;
  /** Of a message, without headers. */
  payload: string;
}

/** Splits what comes in pieces into whole frames. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0);

  read(chunk: Buffer): Frame[] {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const frames: Frame[] = [];
    for (let frame = this.#next(); frame; frame = this.#next()) frames.push(frame);
    return frames;
  }

  #next(): Frame | undefined {
    const end = this.#rest.indexOf(CRLF);
    if (end < 0) return undefined;
    const words = text.decode(this.#rest.subarray(0, end)).split(/\s+/);
    const verb = words[0]!.toUpperCase();
    const isMessage = verb === 'PUB' || verb === 'HPUB' || verb === 'MSG' || verb === 'HMSG';
    if (!isMessage) return this.#take(end + CRLF.length, { subject: '', reply: '', payload: '' });
    const total = Number(words.at(-1));
    const headers = verb.startsWith('H') ? Number(words.at(-2)) : 0;
    const size = end + CRLF.length + total + CRLF.length;
    if (this.#rest.length < size) return undefined;
    // Before the sizes: the subject, then (of what is delivered) the subscription's id, then perhaps a reply subject.
    const names = words.slice(1, words.length - (headers > 0 ? 2 : 1));
    const reply = verb.endsWith('MSG') ? names[2] : names[1];
    const body = this.#rest.subarray(end + CRLF.length + headers, end + CRLF.length + total);
    return this.#take(size, { subject: names[0]!, reply: reply ?? '', payload: text.decode(body) });
  }

  #take(size: number, about: Omit<Frame, 'raw'>): Frame {
    const raw = Buffer.from(this.#rest.subarray(0, size));
    this.#rest = this.#rest.subarray(size);
    return { raw, ...about };
  }
}
