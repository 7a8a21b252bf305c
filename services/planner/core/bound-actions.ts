/** Keeps what tasks hand to each other within what one message may hold. The newest results are kept whole. */
import type { Action } from '@tutti/contracts';

/** UTF-8 bytes of all actions that travel in one letter or entry. */
export const ACTIONS_BYTES_MAX = 256_000;
/** Characters that remain of a result there is no room for. */
const EXCERPT_CHARS = 400;
const ACTIONS_MAX = 100;

export function boundActions(actions: Action[]): Action[] {
  const kept: Action[] = [];
  let left = ACTIONS_BYTES_MAX;
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

function bytesOf(action: Action): number {
  return Buffer.byteLength(JSON.stringify(action));
}
