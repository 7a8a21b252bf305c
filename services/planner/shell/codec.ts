/** How parts of a checkpoint are packed. Conversations are prose: a third of the bytes to store, to copy among servers and to read. */
import { constants, zstdCompress, zstdCompressSync, zstdDecompress, zstdDecompressSync } from 'node:zlib';

export interface Codec {
  pack(data: Uint8Array): Promise<Uint8Array>;
  unpack(data: Uint8Array): Promise<Uint8Array>;
  /** At once, for what somebody needs now. */
  unpackNow(data: Uint8Array): Uint8Array;
}

const unpackNow = (data: Uint8Array) => zstdDecompressSync(data, WHOLE);

/** A part in one piece: Node's default is to put it together from pieces of 16 KiB, which takes four times as long. */
const WHOLE = { chunkSize: 1_179_648 };
const FAST = { ...WHOLE, params: { [constants.ZSTD_c_compressionLevel]: 1 } };

/** In Node's threads, beside the event loop. */
export const zstd: Codec = {
  pack: (data) =>
    new Promise((resolve, reject) =>
      zstdCompress(data, FAST, (error, packed) => (error ? reject(error) : resolve(packed))),
    ),
  unpack: (data) =>
    new Promise((resolve, reject) =>
      zstdDecompress(data, WHOLE, (error, plain) => (error ? reject(error) : resolve(plain))),
    ),
  unpackNow,
};

/** The same at once: where time is counted and nothing may happen beside it. */
export const zstdAtOnce: Codec = {
  pack: async (data) => zstdCompressSync(data, FAST),
  unpack: async (data) => unpackNow(data),
  unpackNow,
};
