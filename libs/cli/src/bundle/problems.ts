/** Mistakes in a bundle's files, gathered so that all of them are reported at once. */
import { TuttiError } from '@tutti/contracts';
import type { z } from 'zod';

const SHOWN_MAX = 50;

export class Problems {
  readonly #lines: string[] = [];

  /** `file`: relative to the bundle. `path`: where in it. */
  add(file: string, message: string, path = ''): void {
    this.#lines.push(`${file}: ${path ? `${path}: ` : ''}${message}`);
  }

  addZod(file: string, error: z.ZodError): void {
    for (const issue of error.issues) this.add(file, issue.message, issue.path.join('.'));
  }

  /** Throws TuttiError `bundle_invalid` when there is any. */
  throwIfAny(dir: string): void {
    if (this.#lines.length === 0) return;
    const shown = this.#lines.slice(0, SHOWN_MAX).map((line) => `  ${line}`);
    const more = this.#lines.length > SHOWN_MAX ? [`  … and ${this.#lines.length - SHOWN_MAX} more`] : [];
    const count = this.#lines.length === 1 ? 'a mistake' : `${this.#lines.length} mistakes`;
    throw new TuttiError('bundle_invalid', [`the bundle in ${dir} has ${count}:`, ...shown, ...more].join('\n'), {
      details: { problems: this.#lines },
    });
  }
}
