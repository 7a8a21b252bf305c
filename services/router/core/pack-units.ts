/**
 * A request's messages as units that stay or go as a whole: a call with all of its results is one. What a unit is worth
 * comes from the request's segments where it has them, or else from where it stands.
 */
import type { ChatMessage, ChatRequest, SegmentKind } from '@tutti/contracts';

export interface Unit {
  kind: SegmentKind;
  /** Higher stays longer. */
  priority: number;
  /** Messages from (included) to (excluded). */
  from: number;
  to: number;
  /** Never left out. */
  fixed: boolean;
  /** A tool call with its results. */
  exchange: boolean;
}

const PRIORITIES: Record<SegmentKind, number> = {
  instructions: 100,
  goal: 100,
  thread: 80,
  summary: 70,
  earlier: 60,
  history: 30,
};
const FIXED_PRIORITY = 100;

export function unitsOf(request: ChatRequest): Unit[] {
  const { messages } = request;
  const labelled = messages.map((_, index) => ({ ...segmentAt(request, index) }));
  const units: Unit[] = [];
  for (let from = 0; from < messages.length; ) {
    const to = endOfExchange(messages, from);
    const { kind, priority } = labelled[from]!;
    units.push({ kind, priority, from, to, fixed: priority >= FIXED_PRIORITY, exchange: to - from > 1 });
    from = to;
  }
  // what the model has to react to next stays whatever it is
  const last = units.at(-1);
  if (last) last.fixed = true;
  return units;
}

/** Results belong to the calls before them; results without any are a unit with what stands before them. */
function endOfExchange(messages: readonly ChatMessage[], from: number): number {
  let to = from + 1;
  while (to < messages.length && messages[to]!.role === 'tool') to += 1;
  return to;
}

function segmentAt(request: ChatRequest, index: number): { kind: SegmentKind; priority: number } {
  if (request.segments) {
    let end = 0;
    for (const segment of request.segments) {
      end += segment.messages;
      if (index < end) return { kind: segment.kind, priority: segment.priority ?? PRIORITIES[segment.kind] };
    }
  }
  const kind = kindByPlace(request.messages, index);
  return { kind, priority: PRIORITIES[kind] };
}

/** The last user message is what is asked; before it is history, behind it what was done about it. */
function kindByPlace(messages: readonly ChatMessage[], index: number): SegmentKind {
  if (messages[index]!.role === 'system') return 'instructions';
  const goal = messages.findLastIndex((message) => message.role === 'user');
  if (index === goal) return 'goal';
  return index < goal ? 'history' : 'thread';
}
