/** A text's beginning and end, with a note of what is missing between them. */
const HEAD_SHARE = 0.7;
const NOTE_TOKENS = 16;
const TRIES_MAX = 12;

/** At most about `tokensMax` tokens; the text itself where it is short enough. */
export function shrinkText(text: string, tokensMax: number, count: (text: string) => number): string {
  const tokens = count(text);
  if (tokens <= tokensMax) return text;
  let chars = Math.floor((text.length * Math.max(0, tokensMax - NOTE_TOKENS)) / tokens);
  for (let i = 0; i < TRIES_MAX; i++) {
    const shorter = cut(text, chars);
    if (count(shorter) <= tokensMax || chars === 0) return shorter;
    chars = Math.floor(chars * 0.85);
  }
  return cut(text, 0);
}

function cut(text: string, chars: number): string {
  const head = whole(text, Math.floor(chars * HEAD_SHARE), -1);
  const tail = whole(text, text.length - (chars - Math.floor(chars * HEAD_SHARE)), 1);
  return `${text.slice(0, head)}\n… (${tail - head} characters left out) …\n${text.slice(tail)}`;
}

/** Not through the middle of a surrogate pair. */
function whole(text: string, at: number, step: 1 | -1): number {
  const code = text.charCodeAt(at);
  return code >= 0xdc00 && code <= 0xdfff ? at + step : at;
}
