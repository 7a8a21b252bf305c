/**
 * Results that are too large for a model, kept in full. Guarantees: what `keep` resolves with can be read for as long as the
 * ledger is kept; `read` gives the very text that its label was said of, or nothing.
 */
import type { Claim, KeptResult, Label } from '@tutti/contracts';
import type { Asker } from './tool-source.ts';

export interface Results {
  keep(
    call: Asker & { callId: string; tool: string; label: Label },
    content: string,
  ): Promise<{ whole: Claim; reference: string }>;
  /** Null: there is none of this name, or it is not what was kept. */
  read(tenant: string, reference: string): Promise<{ about: KeptResult; content: string } | null>;
}
