/** What holds for every journal, however it came about. Looked at entry by entry, so that a broken rule names the entry that broke it. */
import { isEnd, type RunEntry } from '@tutti/contracts';

interface Seen {
  version: number;
  ended: boolean;
  asked: Set<string>;
  settled: Set<string>;
}

export class JournalRules {
  readonly #runs = new Map<string, Seen>();

  see(entry: RunEntry): void {
    const seen = this.#runs.get(entry.run) ?? { version: 0, ended: false, asked: new Set(), settled: new Set() };
    this.#runs.set(entry.run, seen);
    const broken = (rule: string) => {
      throw new Error(`${rule}: ${entry.type} ${entry.n} of ${entry.run}`);
    };
    if (entry.n !== seen.version + 1) broken(`versions are contiguous, and the last one was ${seen.version}`);
    if (seen.ended) broken('nothing follows an end');
    seen.version = entry.n;
    seen.ended = isEnd(entry);
    const outcomeOf = outcome(entry);
    if (entry.type === 'step.requested') {
      if (seen.asked.has(entry.callId)) broken('a step is asked for once');
      seen.asked.add(entry.callId);
    }
    if (outcomeOf === undefined) return;
    if (seen.settled.has(outcomeOf)) broken('a call has one outcome');
    seen.settled.add(outcomeOf);
  }

  /** Runs that have not ended. */
  get open(): string[] {
    return [...this.#runs].filter(([, seen]) => !seen.ended).map(([run]) => run);
  }
}

/** The call that an entry is the outcome of. */
function outcome(entry: RunEntry): string | undefined {
  switch (entry.type) {
    case 'step.completed':
    case 'step.failed':
    case 'sleep.ended':
      return entry.callId;
    case 'call.settled':
      return entry.action.callId;
    case 'child.ended':
      return entry.outcome.child;
    case 'question.answered':
      return entry.question;
    case 'approval.decided':
      return entry.approval;
    default:
      return undefined;
  }
}
