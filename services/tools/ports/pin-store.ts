/** What MCP servers may offer, one record a server and tenant. Survives restarts, and is the same on every replica. */
import type { McpPins } from '@tutti/contracts';

export interface PinStore {
  /** The record of this key; where there is none yet, `first` becomes it, once and for all replicas. */
  firstUse(key: string, first: McpPins): Promise<McpPins>;
  /** Adds to the record, or replaces in it. */
  approve(key: string, pins: McpPins): Promise<void>;
  /** Told of every change of the record, also by other replicas. */
  watch(key: string, changed: () => void): { stop(): void };
}
