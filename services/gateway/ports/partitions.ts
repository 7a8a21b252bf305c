/** The number of partitions, chosen once when the bus was set up. */
export interface Partitions {
  /** Throws `unavailable` as long as it is not known. */
  of(anyId: string): number;
  /** Undefined: not known yet. */
  readonly count: number | undefined;
}
