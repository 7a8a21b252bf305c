/** Chance that is the same every time: numbers that depend on nothing but the words they are asked with. */
import { createHash } from 'node:crypto';

/** A number in [0, 1) from a text. */
export function fraction(text: string): number {
  return createHash('sha256').update(text).digest().readUInt32BE(0) / 2 ** 32;
}

/** A number in [from, to) from a text. */
export function between(text: string, from: number, to: number): number {
  return from + fraction(text) * (to - from);
}

export function pick<T>(text: string, items: readonly T[]): T {
  return items[Math.floor(fraction(text) * items.length)]!;
}
