/** Failures for people: one clear message and an exit code. */
import { TuttiError } from '@tutti/contracts';
import { CommanderError } from 'commander';
import { red } from './style.ts';

export const EXIT = {
  ok: 0,
  /** What was asked for did not work out. */
  failed: 1,
  /** The command line is wrong. */
  usage: 2,
  /** No Tutti answers. */
  unreachable: 3,
  /** A run waits for an approval that nobody gave. */
  waiting: 4,
} as const;

/** Prints it and returns the exit code. */
export function reportFailure(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (error instanceof TuttiError) {
    console.error(`${red('tutti:')} ${error.message}`);
    if (error.code === 'invalid_request' && error.details === 'usage') return EXIT.usage;
    return error.code === 'unavailable' ? EXIT.unreachable : EXIT.failed;
  }
  console.error(`${red('tutti:')} this is a fault of Tutti itself:`, error);
  return EXIT.failed;
}
