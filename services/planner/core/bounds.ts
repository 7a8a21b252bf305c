/** Keeps what runs hand to each other within what one message may hold. The newest is kept whole. */
import type { Action, Interrupted } from '@tutti/contracts';

/** UTF-8 bytes of all actions that travel in one letter or entry. */
export const ACTIONS_BYTES_MAX = 256_000;
/** UTF-8 bytes, as JSON, of all text beside them that travels in one letter or entry. */
export const TEXT_BYTES_MAX = 256_000;
/** Characters that remain of a result there is no room for. */
const EXCERPT_CHARS = 400;
const ACTIONS_MAX = 100;

export function boundActions(actions: Action[], bytesMax: number = ACTIONS_BYTES_MAX): Action[] {
  const kept: Action[] = [];
  let left = bytesMax;
  for (const action of actions.slice(-ACTIONS_MAX).reverse()) {
    const whole = bytesOf(action);
    const bounded = whole <= left ? action : shorten(action);
    const size = bounded === action ? whole : bytesOf(bounded);
    if (size > left) break;
    left -= size;
    kept.push(bounded);
  }
  return kept.reverse();
}

function shorten(action: Action): Action {
  const { content } = action;
  const note = `… (${content.length - EXCERPT_CHARS} more characters are in the journal)`;
  return { ...action, content: content.length > EXCERPT_CHARS ? content.slice(0, EXCERPT_CHARS) + note : content };
}

/** The beginning of a text, with a note of what was left out. */
export function boundText(text: string, bytesMax: number = TEXT_BYTES_MAX): string {
  const whole = bytesOf(text);
  if (whole <= bytesMax) return text;
  let chars = Math.floor((text.length * bytesMax) / whole);
  while (chars > 0 && bytesOf(text.slice(0, chars)) > bytesMax) chars = Math.floor(chars * 0.9);
  return `${text.slice(0, chars)}… (${text.length - chars} more characters are in the journal)`;
}

/** What a run is told of those that it interrupted: all of them together as much as one child says at its end. */
export function boundInterrupted(before: Interrupted[]): Interrupted[] {
  let [actionsLeft, textLeft] = [ACTIONS_BYTES_MAX, TEXT_BYTES_MAX];
  const kept: Interrupted[] = [];
  for (const one of [...before].reverse()) {
    const actions = boundActions(one.actions, actionsLeft);
    const input = boundText(one.input, Math.max(textLeft, EXCERPT_CHARS));
    for (const action of actions) actionsLeft -= bytesOf(action);
    textLeft = Math.max(0, textLeft - bytesOf(input));
    kept.push({ ...one, input, actions });
  }
  return kept.reverse();
}

function bytesOf(value: Action | string): number {
  return Buffer.byteLength(JSON.stringify(value));
}
