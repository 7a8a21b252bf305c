/**
 * Everything that the server remembers: one file of lines, added to and never changed.
 *
 * Guarantees: what `append` returned from is on the disk (fsync), whatever kills the process next. A last line that was
 * cut off by a crash was never answered for and is dropped at the next start; a broken line anywhere else stops the
 * start, because it means that the file was damaged. Appending is synchronous on purpose: between looking a key up and
 * writing its effect down nothing else can run, so two requests with one key cannot both be first.
 */
import { closeSync, fsyncSync, ftruncateSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { StoredEvent } from './types.ts';

export type Store = { events: StoredEvent[]; append: (event: StoredEvent) => void; close: () => void };

const FILE = 'bookings.jsonl';

export function openStore(directory: string): Store {
  mkdirSync(directory, { recursive: true });
  const path = join(directory, FILE);
  const file = openSync(path, 'a+');
  const bytes = readFileSync(path);
  let size = bytes.lastIndexOf(0x0a) + 1;
  if (size < bytes.length) {
    ftruncateSync(file, size);
    fsyncSync(file);
  }
  syncDirectory(directory);
  return {
    events: parse(bytes.subarray(0, size).toString('utf8'), path),
    append(event) {
      const line = Buffer.from(`${JSON.stringify(event)}\n`);
      try {
        writeAll(file, line);
        fsyncSync(file);
      } catch (error) {
        ftruncateSync(file, size);
        throw error;
      }
      size += line.length;
    },
    close: () => closeSync(file),
  };
}

function parse(text: string, path: string): StoredEvent[] {
  const lines = text.split('\n').slice(0, -1);
  return lines.map((line, index) => {
    try {
      return JSON.parse(line) as StoredEvent;
    } catch {
      throw new Error(`${path}: line ${index + 1} is damaged; mend or remove the file`);
    }
  });
}

function writeAll(file: number, bytes: Buffer): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done);
}

/** So that a file that was just made is still there after a power loss. */
function syncDirectory(directory: string): void {
  const handle = openSync(directory, 'r');
  fsyncSync(handle);
  closeSync(handle);
}
