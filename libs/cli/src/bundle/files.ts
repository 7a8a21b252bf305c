/** Reads files of a bundle. Invariant: nothing outside the bundle's folder is read, through a symbolic link or otherwise. */
import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { isAbsolute, join, relative, sep } from 'node:path';
import { LineCounter, parseDocument } from 'yaml';
import type { Problems } from './problems.ts';

export const BUNDLE_LIMITS = {
  fileBytesMax: 4_000_000,
  /** An OpenAPI document, of which a bundle keeps what it needs. */
  documentBytesMax: 32_000_000,
  filesPerFolderMax: 5_000,
} as const;

export class BundleFiles {
  readonly root: string;
  readonly #problems: Problems;

  constructor(dir: string, problems: Problems) {
    this.root = realpathSync(dir);
    this.#problems = problems;
  }

  /** Names in a folder that end in one of these, sorted; none when there is no such folder. */
  list(folder: string, extensions: string[]): string[] {
    if (!existsSync(join(this.root, folder))) return [];
    const names = readdirSync(join(this.root, folder), { withFileTypes: true })
      .filter((entry) => !entry.isDirectory() && extensions.some((extension) => entry.name.endsWith(extension)))
      .map((entry) => entry.name)
      .sort();
    if (names.length > BUNDLE_LIMITS.filesPerFolderMax)
      this.#problems.add(folder, `holds more than ${BUNDLE_LIMITS.filesPerFolderMax} files`);
    return names.slice(0, BUNDLE_LIMITS.filesPerFolderMax);
  }

  folders(folder: string): string[] {
    if (!existsSync(join(this.root, folder))) return [];
    return readdirSync(join(this.root, folder), { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
      .map((entry) => entry.name)
      .sort();
  }

  /** `from` and `path`: the file that names it and where, for the report. Undefined: reported. */
  text(file: string, from = file, path = '', bytesMax: number = BUNDLE_LIMITS.fileBytesMax): string | undefined {
    const problem = this.#problemWith(file, bytesMax);
    if (problem) {
      this.#problems.add(from, from === file ? problem : `"${file}" ${problem}`, path);
      return undefined;
    }
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(join(this.root, file)));
    } catch (error) {
      this.#problems.add(from, `"${file}" cannot be read as UTF-8 text: ${(error as Error).message}`, path);
      return undefined;
    }
  }

  #problemWith(file: string, bytesMax: number): string | undefined {
    if (isAbsolute(file)) return 'must be a path inside the bundle, not an absolute one';
    const target = join(this.root, file);
    if (!this.#isInside(target)) return 'leads out of the bundle';
    if (!existsSync(target)) return 'does not exist';
    const real = realpathSync(target);
    if (!this.#isInside(real)) return 'leads out of the bundle';
    const stat = statSync(real);
    if (!stat.isFile()) return 'is not a file';
    if (stat.size > bytesMax) return `is larger than ${bytesMax} bytes`;
    return undefined;
  }

  #isInside(path: string): boolean {
    const way = relative(this.root, path);
    return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
  }

  /** YAML or JSON as data; undefined: reported. */
  data(file: string, from = file, path = '', bytesMax?: number): unknown {
    const text = this.text(file, from, path, bytesMax);
    if (text === undefined) return undefined;
    const lines = new LineCounter();
    const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
    for (const error of document.errors) {
      const { line, col } = lines.linePos(error.pos[0]);
      this.#problems.add(file, error.message, `line ${line}, column ${col}`);
    }
    if (document.errors.length) return undefined;
    return document.toJS({ maxAliasCount: 100 });
  }

  /** The same, where an object is needed. */
  object(file: string, from = file, path = '', bytesMax?: number): Record<string, unknown> | undefined {
    const data = this.data(file, from, path, bytesMax);
    if (data === undefined) return undefined;
    if (data !== null && typeof data === 'object' && !Array.isArray(data)) return data as Record<string, unknown>;
    this.#problems.add(file, 'must hold an object (name: value lines)');
    return undefined;
  }
}
