/** Chance that is the same again for the same seed: mulberry32 (Tommy Ettinger, public domain). */
export interface Random {
  /** In [0, 1). */
  share(): number;
  /** A whole number, both ends among them. */
  between(least: number, most: number): number;
  /** The same, but the least of them is as likely as all others together: most asks are simple. */
  few(least: number, most: number): number;
  pick<T>(list: readonly T[]): T;
  /** So many different ones, in an order of chance. */
  some<T>(list: readonly T[], count: number): T[];
  chance(share: number): boolean;
  /** Mean 0, deviation 1 (Box and Muller). */
  normal(): number;
}

export function randomOf(seed: number): Random {
  let state = seed >>> 0;
  const share = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const between = (least: number, most: number) => least + Math.floor(share() * (most - least + 1));
  const some = <T>(list: readonly T[], count: number): T[] => {
    const left = [...list];
    return Array.from({ length: Math.min(count, left.length) }, () => left.splice(between(0, left.length - 1), 1)[0]!);
  };
  return {
    share,
    between,
    few: (least, most) => (share() < 0.5 ? least : between(least, most)),
    some,
    pick: (list) => list[between(0, list.length - 1)]!,
    chance: (wanted) => share() < wanted,
    normal: () => Math.sqrt(-2 * Math.log(1 - share())) * Math.cos(2 * Math.PI * share()),
  };
}

/** A seed for each part of something that has one. */
export function seedOf(...parts: (string | number)[]): number {
  let hash = 0x811c9dc5;
  for (const char of parts.join('\u001f')) hash = Math.imul(hash ^ char.codePointAt(0)!, 0x01000193);
  hash ^= hash >>> 15;
  return Math.imul(hash, 0x2c1b3c6d) >>> 0;
}
