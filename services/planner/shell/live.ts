/** Tells whoever watches what is in the log now. Hints: nobody may need them. */
import { type RunEntry, subjects } from '@tutti/contracts';
import type { Bus } from '@tutti/runtime';
import type { PartitionState } from '../core/state.ts';

const bytes = new TextEncoder();

export function publishLive(bus: Bus, state: PartitionState, entries: RunEntry[]): void {
  const bySubject = new Map<string, RunEntry[]>();
  for (const entry of entries) {
    const run = state.runs.get(entry.run);
    if (!run) continue;
    const subject = subjects.live(run.tenant, run.start.root);
    const list = bySubject.get(subject);
    if (list) list.push(entry);
    else bySubject.set(subject, [entry]);
  }
  for (const [subject, list] of bySubject) {
    const data = bytes.encode(JSON.stringify({ v: 1, events: list.map((entry) => ({ type: 'entry', entry })) }));
    // Too large for a hint: the reader sees the gap and asks.
    if (data.length < bus.payloadBytesMax) bus.publish(subject, data);
  }
}
