/** Takes the one file that we want out of a zip or a tar.gz, in memory and bounded: no other entry is ever written anywhere. */
import { gunzipSync, inflateRawSync } from 'node:zlib';
import { FETCH_LIMITS } from './limits.ts';

const zipEndSignature = 0x06054b50;
const zipEntrySignature = 0x02014b50;
const zipEndBytes = 22;
const zipEntryBytes = 46;
const zipLocalBytes = 30;
const zipCommentBytesMax = 0xffff;
const tarBlockBytes = 512;

/** `archive` by its file name: .tar.gz, else zip (a wheel is a zip). Throws an Error when the entry is not in there. */
export function unpackEntry(archiveName: string, archive: Buffer, isWanted: (name: string) => boolean): Buffer {
  const entry = archiveName.endsWith('.tar.gz') ? fromTarGz(archive, isWanted) : fromZip(archive, isWanted);
  if (!entry) throw new Error(`${archiveName} does not hold the nats-server binary`);
  return entry;
}

/** APPNOTE.TXT 4.3: the central directory at the end says where each entry's local header is. No zip64: ours are small. */
function fromZip(archive: Buffer, isWanted: (name: string) => boolean): Buffer | undefined {
  const end = findZipEnd(archive);
  const entries = archive.readUInt16LE(end + 10);
  let at = archive.readUInt32LE(end + 16);
  for (let index = 0; index < entries; index += 1) {
    if (archive.readUInt32LE(at) !== zipEntrySignature) throw new Error('the zip directory is damaged');
    const nameBytes = archive.readUInt16LE(at + 28);
    const name = archive.toString('utf8', at + zipEntryBytes, at + zipEntryBytes + nameBytes);
    if (isWanted(name)) return readZipEntry(archive, at);
    at += zipEntryBytes + nameBytes + archive.readUInt16LE(at + 30) + archive.readUInt16LE(at + 32);
  }
  return undefined;
}

function findZipEnd(archive: Buffer): number {
  const first = Math.max(0, archive.length - zipEndBytes - zipCommentBytesMax);
  for (let at = archive.length - zipEndBytes; at >= first; at -= 1) {
    if (archive.readUInt32LE(at) === zipEndSignature) return at;
  }
  throw new Error('not a zip file');
}

function readZipEntry(archive: Buffer, at: number): Buffer {
  const method = archive.readUInt16LE(at + 10);
  const packedBytes = archive.readUInt32LE(at + 20);
  const bytes = archive.readUInt32LE(at + 24);
  const local = archive.readUInt32LE(at + 42);
  const start = local + zipLocalBytes + archive.readUInt16LE(local + 26) + archive.readUInt16LE(local + 28);
  const packed = archive.subarray(start, start + packedBytes);
  if (bytes > FETCH_LIMITS.binaryBytesMax) throw new Error('the binary in the zip is larger than expected');
  if (method !== 0 && method !== 8) throw new Error(`unknown zip method ${method}`);
  const entry = method === 0 ? packed : inflateRawSync(packed, { maxOutputLength: FETCH_LIMITS.binaryBytesMax });
  if (entry.length !== bytes) throw new Error('the zip entry is damaged');
  return entry;
}

/** POSIX ustar: a header block with name, octal size and type, then the data, padded to whole blocks. */
function fromTarGz(archive: Buffer, isWanted: (name: string) => boolean): Buffer | undefined {
  const tar = gunzipSync(archive, { maxOutputLength: FETCH_LIMITS.binaryBytesMax });
  for (let at = 0; at + tarBlockBytes <= tar.length; ) {
    const name = tarText(tar, at, 100);
    if (!name) return undefined;
    const prefix = tarText(tar, at + 345, 155);
    const bytes = Number.parseInt(tarText(tar, at + 124, 12), 8);
    if (!Number.isSafeInteger(bytes)) throw new Error('the tar header is damaged');
    const type = tarText(tar, at + 156, 1);
    const start = at + tarBlockBytes;
    if ((type === '' || type === '0') && isWanted(prefix ? `${prefix}/${name}` : name))
      return tar.subarray(start, start + bytes);
    at = start + Math.ceil(bytes / tarBlockBytes) * tarBlockBytes;
  }
  return undefined;
}

function tarText(tar: Buffer, at: number, bytes: number): string {
  const field = tar.subarray(at, at + bytes);
  const end = field.indexOf(0);
  return field.toString('utf8', 0, end < 0 ? bytes : end).trim();
}
