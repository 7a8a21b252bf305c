/**
 * Keeps turns small: what a session remembers of a run is replayed to models, and recalled again in every later run.
 * Pure. Invariants: nothing is cut without a note in its place that says how much; a cut turn is cut no further when
 * it is bounded again with the same limits.
 */
import type { Action, Turn } from '@tutti/contracts';

export interface TurnLimits {
  inputCharsMax: number;
  outputCharsMax: number;
  actionsMax: number;
  actionContentCharsMax: number;
  actionArgumentsCharsMax: number;
}

/** Room for the note within the limit. */
const NOTE_CHARS = 48;

/** The first characters and a note, `charsMax` together at most. Never half of a surrogate pair. */
export function cut(text: string, charsMax: number): string {
  if (text.length <= charsMax) return text;
  const keep = Math.max(0, charsMax - NOTE_CHARS);
  const end = isHighSurrogate(text.charCodeAt(keep - 1)) ? keep - 1 : keep;
  return `${text.slice(0, end)} [cut: ${text.length - end} more characters]`;
}

function isHighSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdbff;
}

/** The newest actions are kept: later ones build on earlier ones and say more about how the run ended. */
export function boundTurn(turn: Turn, limits: TurnLimits): Turn {
  return {
    ...turn,
    input: cut(turn.input, limits.inputCharsMax),
    output: cut(turn.output, limits.outputCharsMax),
    actions: turn.actions.slice(-limits.actionsMax).map((action) => boundAction(action, limits)),
  };
}

function boundAction(action: Action, limits: TurnLimits): Action {
  return {
    ...action,
    content: cut(action.content, limits.actionContentCharsMax),
    arguments: boundArguments(action.arguments, limits.actionArgumentsCharsMax),
  };
}

/** First the long texts in it are cut, then what is still too much gives way to a note under a key of its own. */
function boundArguments(value: Record<string, unknown>, charsMax: number): Record<string, unknown> {
  const size = JSON.stringify(value).length;
  if (size <= charsMax) return value;
  const short = cutTexts(value, Math.floor(charsMax / 4)) as Record<string, unknown>;
  if (JSON.stringify(short).length <= charsMax) return short;
  return { tutti_cut: `the arguments had ${size} characters of JSON` };
}

function cutTexts(value: unknown, charsMax: number): unknown {
  if (typeof value === 'string') return cut(value, charsMax);
  if (Array.isArray(value)) return value.map((item) => cutTexts(item, charsMax));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, cutTexts(item, charsMax)]));
}
