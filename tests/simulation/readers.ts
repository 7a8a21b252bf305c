/**
 * Those who watch: they ask owners how runs are doing, and hear the hints that come live. Whatever they are told must be
 * in the log already, as it stands there.
 */
import { LiveMessage, OwnerReply, type OwnerRequest, partitionOf, type RunEntry, subjects } from '@tutti/contracts';
import type { Bus } from '@tutti/runtime';
import type { MemoryServer, Random } from '@tutti/testkit';
import { type Evidence, parse } from './evidence.ts';

const ASK_TIMEOUT_MS = 2_000;
const encoder = new TextEncoder();

export interface ReadersDeps {
  server: MemoryServer;
  evidence: Evidence;
  partitions: number;
  tenantOf(run: string): string | undefined;
}

export class Readers {
  readonly #deps: ReadersDeps;
  readonly #random: Random;
  readonly #bus: Bus;

  constructor(deps: ReadersDeps, questions: number, untilMs: number) {
    this.#deps = deps;
    const { time } = deps.server;
    this.#random = time.random;
    const process = time.process('reader');
    this.#bus = deps.server.connect(process);
    this.#bus.subscribe('tutti.live.>', (message) => this.#heard(parse(message.data)));
    for (let i = 0; i < questions; i++)
      time.after(this.#random.between(0, untilMs), () => void this.#ask().catch(() => {}), process);
  }

  #heard(message: LiveMessage): void {
    // An entry that is the log's, word for word, needs no other look.
    const others = message.events.filter((event) => event.type !== 'entry' || !this.#standsInTheLog(event.entry));
    const { events } = LiveMessage.parse({ ...message, events: others });
    for (const event of events) if (event.type === 'entry') this.#mustStandInTheLog(event.entry, 'a live message');
  }

  #standsInTheLog(entry: RunEntry): boolean {
    const stored = this.#deps.evidence.runs.get(entry.run)?.[entry.n - 1]?.entry;
    return stored !== undefined && JSON.stringify(stored) === JSON.stringify(entry);
  }

  #mustStandInTheLog(entry: RunEntry, who: string): void {
    const stored = this.#deps.evidence.runs.get(entry.run)?.[entry.n - 1]?.entry;
    if (!stored) this.#complain(`${who} has entry ${entry.n} of run ${entry.run} before the log`);
    else if (stored.type !== entry.type || stored.at !== entry.at)
      this.#complain(`${who} has another entry ${entry.n} of run ${entry.run} than the log: ${entry.type}`);
  }
  #complain(problem: string): void {
    this.#deps.evidence.notice('readers', problem);
  }

  async #ask(): Promise<void> {
    const known = [...this.#deps.evidence.starts.values()];
    if (known.length === 0) return;
    const { run, session, tenant } = this.#random.pick(known).message;
    const after = this.#random.below(10);
    const request = this.#random.pick<OwnerRequest>([
      { op: 'run', run },
      { op: 'entries', run, after },
      { op: 'entries', run, after },
      { op: 'approvals', run },
      { op: 'session', tenant, session },
      { op: 'schedules', tenant },
      { op: 'load' },
    ]);
    const subject = subjects.owner(partitionOf(session, this.#deps.partitions));
    const data = await this.#bus.request(subject, encoder.encode(JSON.stringify(request)), ASK_TIMEOUT_MS);
    const reply = OwnerReply.safeParse(parse(data));
    if (!reply.success) return this.#complain(`the answer to ${request.op} does not fit: ${reply.error.message}`);
    if (reply.data.op === 'entries') this.#entries(run, after, reply.data);
    if (reply.data.op === 'run') this.#view(run, reply.data.run);
  }

  #entries(run: string, after: number, reply: Extract<OwnerReply, { op: 'entries' }>): void {
    for (const entry of reply.entries) this.#mustStandInTheLog(entry, 'an owner');
    const numbers = reply.entries.map((entry) => entry.n);
    const first = reply.complete ? after + 1 : (numbers[0] ?? 0);
    if (numbers.some((n, index) => n !== first + index))
      this.#complain(`an owner answers with entries ${numbers} of run ${run} behind ${after}`);
  }

  #view(run: string, view: Extract<OwnerReply, { op: 'run' }>['run']): void {
    const stored = this.#deps.evidence.runs.get(run)?.length ?? 0;
    if (view.version > stored) this.#complain(`an owner shows run ${run} at ${view.version}; the log has ${stored}`);
    if (view.tenant !== this.#deps.tenantOf(run)) this.#complain(`an owner shows run ${run} as one of ${view.tenant}`);
  }
}
