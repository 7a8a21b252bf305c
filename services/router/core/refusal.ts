/** Tells an answer that declines from one that answers, by how it begins. Only short ones: a long one has more to say. */
const REFUSAL_CHARS_MAX = 700;
const OPENING_CHARS = 220;

const HELP =
  '(?:help|assist|comply|fulfil+|do that|do this|provide (?:that|this|any|information|instructions|assistance|guidance)|continue with|engage|support (?:that|this)|generate (?:that|this)|create (?:that|this)|answer (?:that|this)|discuss)';
const CANNOT =
  "(?:can(?:no|')t|can not|could not|couldn't|am unable to|'m unable to|am not able to|'m not able to|won't|will not|must decline to|have to decline to)";
const OPENINGS = [
  new RegExp(
    `\\bi(?: am|'m)? ?(?:really |very |so |afraid )*(?:sorry|i)?[,.]? ?(?:but )?i ?${CANNOT} (?:\\w+ )?${HELP}`,
    'i',
  ),
  new RegExp(
    `^(?:(?:i(?:'m| am) )?(?:so |very |really )?sorry|i apologi[sz]e|unfortunately|i(?:'m| am) afraid|as an ai[^,.]{0,40})?[,.:;]? ?(?:but )?i ?${CANNOT} (?:\\w+ )?${HELP}`,
    'i',
  ),
  /\bas an ai(?: language)?(?: model| assistant)?,? i (?:can(?:no|')t|am not able|am unable|do not|don't)/i,
  /^(?:es tut mir leid|tut mir leid|leider)[,.]? (?:aber )?(?:ich kann|kann ich)[^.]{0,60}(?:nicht|keine?)[^.]{0,30}(?:helfen|unterstützen|weiterhelfen|erfüllen)/i,
  /^(?:je suis désolée?|désolée?)[,.]? (?:mais )?je ne peux pas/i,
  /^lo siento[,.]? (?:pero )?no puedo/i,
];

export function isRefusal(text: string | null): boolean {
  if (!text || text.length > REFUSAL_CHARS_MAX) return false;
  const opening = text.trim().slice(0, OPENING_CHARS).replaceAll('’', "'");
  return OPENINGS.some((pattern) => pattern.test(opening));
}
