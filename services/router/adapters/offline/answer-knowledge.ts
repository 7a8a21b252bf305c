/** Answers without results: small talk, knowledge from passages, what the session or the facts hold, or an honest "I don't know". */
import { wordsOfClause } from './answer-refused.ts';
import { answeringSentences, quote } from './citations.ts';
import { effectClauses } from './goal.ts';
import { joinWords, sayKey, sayValue, sentence } from './prose.ts';
import { isObject } from './schema.ts';
import type { Situation } from './situation.ts';
import { toolOf } from './strangers.ts';
import { contentStems, splitIdentifier, stem } from './words.ts';

const INTRODUCTION =
  "I am Tutti's built-in offline model: deterministic rules, no language model behind me. I can chain tools by their schemas, fill their arguments from our conversation, check before I act, and answer from documents with citations. For free writing or open reasoning, configure a model provider.";
const SMALL_TALK =
  /^\s*(?:hi|hello|hey|good (?:morning|afternoon|evening)|thanks?(?: you)?|thank you|cheers|bye|goodbye|who are you|what are you|what can you do|help|how are you)\b[^a-z]*(?:there|so much|a lot|very much|tutti)?\W*$/i;
const TOOLS_NAMED_MAX = 8;

export function isSmallTalk(text: string): boolean {
  return (
    SMALL_TALK.test(text) ||
    /\b(?:who|what) (?:are|is) (?:you|tutti)\b|\bare you (?:an? )?(?:ai|llm|human|bot|robot|language model|real)\b|\bwhat can you (?:do|help)\b/i.test(
      text,
    )
  );
}

export function withoutResults(situation: Situation): string {
  const text = situation.goal.text;
  if (isSmallTalk(text)) return /^\s*(?:thanks?|thank you|cheers)/i.test(text) ? 'You are welcome.' : INTRODUCTION;
  const asked = effectClauses(situation.goal);
  const evidence = answeringSentences(situation.passages, contentStems(text), text);
  if (asked.length > 0 && !situation.readOnly)
    return `I did not ${wordsOfClause(asked[0]!)}: I have no tool here that does this${evidence.length > 0 ? `. ${cite(evidence)}` : '.'}`;
  const recalled = recall(situation);
  if (recalled && (evidence[0]?.coverage ?? 0) < 1) return recalled;
  if (evidence.length > 0) return cite(evidence);
  const remembered = situation.facts
    .map((fact) => ({ fact, hits: contentStems(fact).filter((one) => situation.goal.stems.has(one)).length }))
    .sort((a, b) => b.hits - a.hits)[0];
  if (remembered && remembered.hits >= Math.max(1, Math.ceil(situation.goal.stems.size / 2)))
    return sentence(remembered.fact);
  if (situation.passages.length > 0) return "I don't know: the documents that I have do not answer this.";
  return `I don't know, and I have no tool or document here that would tell me. ${situation.tools.length > 0 ? `What I can do here: ${joinWords(situation.tools.slice(0, TOOLS_NAMED_MAX).map((tool) => sayKey(tool.name)))}.` : INTRODUCTION}`;
}

/** A question about what was done earlier in the session: the fields of its results that the question names. */
function recall(situation: Situation): string | null {
  if (situation.goal.stems.size === 0) return null;
  let best: { text: string; hits: number } | null = null;
  for (const one of situation.past.filter((each) => !each.isError && each.data !== null)) {
    const tool = toolOf(situation, one.tool);
    const row = isObject(one.data) ? one.data : null;
    if (!row) continue;
    for (const [key, value] of Object.entries(row)) {
      if (typeof value === 'object' || value === null) continue;
      const words = [...new Set([...splitIdentifier(key), ...tool.nameStems].map(stem))];
      const named = splitIdentifier(key).some((word) => situation.goal.stems.has(stem(word)));
      const hits = words.filter((word) => situation.goal.stems.has(word)).length;
      if (named && hits >= 1 && hits >= situation.goal.stems.size * 0.5 && (!best || hits >= best.hits))
        best = { text: `The ${sayKey(key)} is ${sayValue(key, value, currencyOf(row))}`, hits };
    }
  }
  return best ? sentence(best.text) : null;
}

const currencyOf = (row: Record<string, unknown>): string | null =>
  typeof row.currency === 'string' ? row.currency.toUpperCase() : null;

const cite = (evidence: readonly { passage: number; sentence: string }[]): string =>
  evidence.map((one) => `${sentence(quote(one.sentence)).replace(/([.!?…])$/, '')} [${one.passage + 1}].`).join(' ');
