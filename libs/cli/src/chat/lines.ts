/** Lines that a person types, or that come through a pipe. */
import { createInterface } from 'node:readline';

export interface Lines {
  /** A person is there to be asked. */
  readonly interactive: boolean;
  /** The next line; undefined: there are no more. */
  next(prompt: string): Promise<string | undefined>;
  /** The same, but never what was typed before the question was asked. */
  answer(prompt: string): Promise<string | undefined>;
  close(): void;
}

export function readLines(input: NodeJS.ReadStream, output: NodeJS.WriteStream, onInterrupt: () => void): Lines {
  const interactive = Boolean(input.isTTY && output.isTTY);
  const reader = createInterface({ input, ...(interactive ? { output } : {}), terminal: interactive });
  const queue: string[] = [];
  let waiting: ((line: string | undefined) => void) | undefined;
  let closed = false;
  const give = (line: string | undefined) => {
    const taker = waiting;
    waiting = undefined;
    taker?.(line);
  };
  reader.on('line', (line) => (waiting ? give(line) : queue.push(line)));
  reader.on('close', () => {
    closed = true;
    give(undefined);
  });
  reader.on('SIGINT', onInterrupt);

  async function next(prompt: string): Promise<string | undefined> {
    const queued = queue.shift();
    if (queued !== undefined || closed) {
      // so that what came through a pipe reads like what was typed
      if (queued !== undefined) output.write(`${prompt}${queued}\n`);
      return queued;
    }
    if (interactive) {
      reader.setPrompt(prompt);
      reader.prompt();
    }
    const line = await new Promise<string | undefined>((resolve) => {
      waiting = resolve;
    });
    if (!interactive && line !== undefined) output.write(`${prompt}${line}\n`);
    return line;
  }

  return {
    interactive,
    next,
    answer(prompt) {
      if (interactive) queue.length = 0;
      return next(prompt);
    },
    close: () => reader.close(),
  };
}

/** Nobody to ask. */
export const noLines: Lines = {
  interactive: false,
  next: async () => undefined,
  answer: async () => undefined,
  close() {},
};
