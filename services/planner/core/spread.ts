/**
 * Which partitions a planner takes and which it gives away, so that all are held and nobody holds two more than another.
 * Every planner decides for itself from what it sees, which may be a moment old; what two decide at once, the leases settle.
 */

export interface Peer {
  /** The newest log format that it reads. */
  format: number;
  /** Partitions that it found a later format in. */
  beyond: ReadonlySet<number>;
}

export interface Standing {
  me: string;
  partitions: number;
  /** All planners that are there, `me` among them. */
  planners: ReadonlyMap<string, Peer>;
  /** By partition, who holds it. */
  holders: ReadonlyMap<number, string>;
  /** Held by nobody as yet, but still being let go of here. */
  closing: ReadonlySet<number>;
}

export function spread({ me, partitions, planners, holders, closing }: Standing): { take: number[]; give: number[] } {
  const own = planners.get(me)!;
  const others = [...planners].filter(([planner]) => planner !== me);
  const count = new Map<string, number>();
  for (const holder of holders.values()) count.set(holder, (count.get(holder) ?? 0) + 1);
  const countOf = (planner: string): number => count.get(planner) ?? 0;
  const mine = countOf(me);
  const least = Math.floor(partitions / planners.size);
  const most = Math.ceil(partitions / planners.size);

  const take: number[] = [];
  let free = 0;
  for (let partition = 0; partition < partitions; partition++) {
    if (holders.has(partition)) continue;
    free++;
    if (own.beyond.has(partition) || closing.has(partition)) continue;
    const held = mine + take.length;
    // Beyond what everybody is due, those who hold fewer go first, unless they cannot read it.
    const waits = others.some(([planner, peer]) => countOf(planner) < held && !peer.beyond.has(partition));
    if (held < least || !waits) take.push(partition);
  }

  // What is held here is written in this planner's format from the takeover on.
  const takers = others.filter(([, { format }]) => format >= own.format).map(([planner]) => countOf(planner));
  const room = takers.reduce((sum, held) => sum + Math.max(0, most - held), 0);
  let giving = Math.max(0, Math.min(mine - most, room));
  const heaviest = others.every(([planner]) => countOf(planner) < mine || (countOf(planner) === mine && me < planner));
  if (giving === 0 && free === 0 && heaviest && takers.some((held) => held <= mine - 2)) giving = 1;
  const give = [...holders].filter(([, holder]) => holder === me).map(([partition]) => partition);
  return { take, give: give.sort((a, b) => b - a).slice(0, giving) };
}
