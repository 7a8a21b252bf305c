/** Results that are too large for a model, kept in full. Guarantee: what `keep` resolves with can be read for as long as the ledger is kept. */
import type { Claim } from '@tutti/contracts';

export interface Results {
  keep(call: { tenant: string; run: string | undefined; callId: string }, content: string): Promise<Claim>;
}
