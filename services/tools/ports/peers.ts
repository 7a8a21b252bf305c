/**
 * The other replicas of this service. Guarantee: `gone` is only said of a replica that is not connected to the bus for
 * a named time while this one is. It may still run, cut off: nobody may conclude more than that from it.
 */
export type PeerState = 'working' | 'idle' | 'unsent' | 'silent' | 'gone';

export interface Peers {
  /**
   * Does the replica that made this attempt still work on the call? `unsent`: no, and it gave the attempt up before it
   * sent anything. `silent`: connected, but no answer.
   */
  ask(
    attempt: { instance: string; token: string },
    tenant: string,
    callId: string,
    signal: AbortSignal,
  ): Promise<PeerState>;
}
