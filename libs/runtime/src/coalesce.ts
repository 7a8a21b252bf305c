/** Whatever is put in during one tick of the event loop goes out together: one message instead of many. */

/**
 * Calls `flush` with all items of a key once per tick, or as soon as there are `itemsMax`. A timer of 1 ms would cost 15
 * (FACTS.md), so the tick is the event loop's, or what `schedule` makes of it. Those that fill a message go at
 * once: whoever gets them can begin while the rest is still being made.
 */
export function createCoalescer<Item>(
  itemsMax: number,
  flush: (key: string, items: Item[]) => void,
  failed: (error: unknown, key: string) => void,
  schedule: (action: () => void) => void = setImmediate,
) {
  let pending = new Map<string, Item[]>();
  let scheduled = false;
  function run(): void {
    scheduled = false;
    const batches = pending;
    pending = new Map();
    for (const [key, items] of batches) send(key, items);
  }
  function send(key: string, items: Item[]): void {
    // One that cannot be sent (a closed connection, say) must not take the others with it.
    try {
      flush(key, items);
    } catch (error) {
      failed(error, key);
    }
  }
  return {
    add(key: string, item: Item): void {
      let items = pending.get(key);
      if (items) items.push(item);
      else {
        items = [item];
        pending.set(key, items);
      }
      if (items.length >= itemsMax) {
        pending.delete(key);
        return send(key, items);
      }
      if (!scheduled) {
        scheduled = true;
        schedule(run);
      }
    },
    flush: run,
  };
}

const encoder = new TextEncoder();
/** UTF-8 has at most so many bytes for a UTF-16 unit: counting exactly is only worth it where that would be too many. */
const BYTES_PER_UNIT_MAX = 3;

/**
 * Splits pieces of JSON so that each message stays under `bytesMax`, and encodes each group as one message.
 * A piece that is too large alone is given to `tooLarge`.
 */
export function packJson<Item>(
  items: Item[],
  jsonOf: (item: Item) => string,
  bytesMax: number,
  wrap: (joined: string) => string,
  send: (data: Uint8Array, items: Item[]) => void,
  tooLarge: (item: Item, bytes: number, piece: string) => void,
): void {
  const pieces = items.map(jsonOf);
  const units = pieces.reduce((sum, piece) => sum + piece.length + 1, 0);
  if (units * BYTES_PER_UNIT_MAX <= bytesMax) {
    if (items.length > 0) send(encoder.encode(wrap(pieces.join(','))), items);
    return;
  }
  packCounting(items, pieces, bytesMax, wrap, send, tooLarge);
}

function packCounting<Item>(
  items: Item[],
  pieces: string[],
  bytesMax: number,
  wrap: (joined: string) => string,
  send: (data: Uint8Array, items: Item[]) => void,
  tooLarge: (item: Item, bytes: number, piece: string) => void,
): void {
  let group: Item[] = [];
  let joined: string[] = [];
  let size = 0;
  const emit = () => {
    if (group.length > 0) send(encoder.encode(wrap(joined.join(','))), group);
    group = [];
    joined = [];
    size = 0;
  };
  for (const [index, item] of items.entries()) {
    const piece = pieces[index]!;
    const bytes = Buffer.byteLength(piece);
    if (bytes > bytesMax) {
      tooLarge(item, bytes, piece);
      continue;
    }
    if (size + bytes > bytesMax) emit();
    group.push(item);
    joined.push(piece);
    size += bytes + 1;
  }
  emit();
}
