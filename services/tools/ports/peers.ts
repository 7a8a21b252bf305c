/**
 * The other replicas of this service. Guarantee: `gone` is only said of a replica that is not connected to the bus for
 * a named time while this one is. It may still run, cut off: nobody may conclude more than that from it.
 */
export type PeerState = 'working' | 'idle' | 'silent' | 'gone';

export interface Peers {
  /** Does that replica still work on the call? `silent`: connected, but no answer. */
  ask(instance: string, tenant: string, callId: string, signal: AbortSignal): Promise<PeerState>;
}
