/** Whatever is put in during one tick of the event loop goes out together: one message instead of many. */

/** Calls `flush` with all items of a key once per tick, at most `itemsMax` at a time. A timer of 1 ms would cost 15 (FACTS.md): `setImmediate`. */
export function createCoalescer<Item>(
  itemsMax: number,
  flush: (key: string, items: Item[]) => void,
  failed: (error: unknown, key: string) => void,
) {
  let pending = new Map<string, Item[]>();
  let scheduled = false;
  function run(): void {
    scheduled = false;
    const batches = pending;
    pending = new Map();
    for (const [key, items] of batches) {
      // One that cannot be sent (a closed connection, say) must not take the others with it.
      try {
        for (let i = 0; i < items.length; i += itemsMax) flush(key, items.slice(i, i + itemsMax));
      } catch (error) {
        failed(error, key);
      }
    }
  }
  return {
    add(key: string, item: Item): void {
      const items = pending.get(key);
      if (items) items.push(item);
      else pending.set(key, [item]);
      if (!scheduled) {
        scheduled = true;
        setImmediate(run);
      }
    },
    flush: run,
  };
}

const encoder = new TextEncoder();

/**
 * Splits pieces of JSON so that each message stays under `bytesMax`, and encodes each group as one message.
 * A piece that is too large alone is given to `tooLarge`.
 */
export function packJson<Item>(
  items: Item[],
  bytesMax: number,
  wrap: (joined: string) => string,
  send: (data: Uint8Array, items: Item[]) => void,
  tooLarge: (item: Item, bytes: number) => void,
): void {
  let group: Item[] = [];
  let pieces: string[] = [];
  let size = 0;
  const emit = () => {
    if (group.length > 0) send(encoder.encode(wrap(pieces.join(','))), group);
    group = [];
    pieces = [];
    size = 0;
  };
  for (const item of items) {
    const piece = JSON.stringify(item);
    const bytes = Buffer.byteLength(piece);
    if (bytes > bytesMax) {
      tooLarge(item, bytes);
      continue;
    }
    if (size + bytes > bytesMax) emit();
    group.push(item);
    pieces.push(piece);
    size += bytes + 1;
  }
  emit();
}
