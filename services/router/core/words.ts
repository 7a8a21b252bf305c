/** Sentences, telling words and numbers of a text, in any script that puts spaces between words. */
const STOP_WORDS = new Set(
  (
    'a an and are as at be been but by can could did do does for from had has have he her his how i if in into is it its ' +
    'may me more most my no not of on or our she should so some such than that the their them then there these they this ' +
    'those to too us was we were what when where which while who will with would you your yes also any all both each ' +
    'about after before between during only other over same under up very ' +
    'der die das den dem des ein eine einer eines einem einen und oder aber ist sind war waren wird werden im in am an auf ' +
    'aus bei mit nach von vor zu zum zur für als auch es sie er wir ihr ich du nicht kein keine dass wenn wie was wer ' +
    'le la les un une des et ou est sont dans pour par sur avec el los las y o es son en con del al il lo gli e è'
  ).split(' '),
);
const WORD = /[\p{L}\p{M}]+/gu;
const NUMBER = /\d+(?:[.,]\d+)*/g;
const CITATION = /\s*\[\d+(?:\s*,\s*\d+)*\]/g;
const LIST_MARK = /^\s*(?:[-*•]|\d{1,2}[.)])\s+/;
const STEM_MIN = 4;

export function contentTerms(text: string): string[] {
  const words = text.toLowerCase().match(WORD) ?? [];
  return words.filter((word) => word.length > 1 && !STOP_WORDS.has(word)).map(stem);
}

/** Digits without grouping and leading zeros: `1,400.00` and `1400` are the same, and a date gives its parts. */
export function numbersOf(text: string): string[] {
  return (text.replace(CITATION, '').replace(LIST_MARK, '').match(NUMBER) ?? []).map(plainNumber);
}

function plainNumber(text: string): string {
  const ungrouped = text.replace(/[.,](?=\d{3}(?:\D|$))/g, '').replace(',', '.');
  const trimmed = ungrouped.replace(/^0+(?=\d)/, '');
  return trimmed.includes('.') ? trimmed.replace(/\.?0+$/, '') : trimmed;
}

/** Without citations and list marks; lines are sentences too. */
export function sentencesOf(text: string): string[] {
  return text
    .split('\n')
    .flatMap((line) =>
      line
        .replace(LIST_MARK, '')
        .replace(CITATION, '')
        .split(/(?<=[.!?])\s+(?=[\p{Lu}\p{N}"“(])/u),
    )
    .map((sentence) => sentence.trim())
    .filter((sentence) => sentence.length > 0 && !sentence.endsWith('?'));
}

/** Light: plurals and the commonest endings, so that `flights` meets `flight`. */
function stem(word: string): string {
  for (const ending of ['ingly', 'edly', 'ing', 'ies', 'ed', 'es', 's', 'ly'])
    if (word.endsWith(ending) && word.length - ending.length >= STEM_MIN - 1) {
      const base = word.slice(0, -ending.length);
      return ending === 'ies' ? `${base}y` : base.endsWith('e') ? base.slice(0, -1) : base;
    }
  return word.endsWith('e') && word.length > STEM_MIN ? word.slice(0, -1) : word;
}
