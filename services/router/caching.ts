/** Answers that were given before, where the agent allows it: the same question, or one that means the same. */
import type { CachePolicy, CompleteResult } from '@tutti/contracts';
import type { Logger } from '@tutti/runtime';
import type { AnswerCache } from './answer-cache.ts';
import { type CacheQuestion, cacheKeyOf, semanticQuestion, surroundingsKeyOf } from './core/cache-key.ts';
import type { Embedder } from './ports/embedder.ts';
import type { Ask, CallContext } from './stages.ts';

export interface CachingParts {
  cache: AnswerCache;
  /** Undefined: none is configured, and only the same words are the same question. */
  embedder: Embedder | undefined;
  /** Whether this much of the question may be shown to the embedder. */
  mayEmbed(ask: Ask, text: string): boolean;
  log: Logger;
}

/** What must not be given to the next one who asks. */
const NOT_KEPT: readonly string[] = ['refused', 'truncated', 'not_verified', 'usage_suspect'];

export async function completeCached(
  parts: CachingParts,
  policy: CachePolicy,
  ask: Ask,
  complete: () => Promise<CompleteResult>,
): Promise<CompleteResult> {
  const { call } = ask;
  const { bundle, model, agent, chat, label } = ask.body;
  const question = { tenant: call.tenant, bundle, model, agent, chat, label, nowWithinMs: policy.nowWithinMs };
  const key = cacheKeyOf(question);
  const known = parts.cache.get(key);
  if (known) return given(known, 'exact', call);
  const { result, joined } = await parts.cache.once(key, async () => {
    const meaning = await meaningOf(parts, policy, ask, question);
    const near = meaning && parts.cache.near(meaning.surroundings, meaning.vector, policy.semantic!.similarity);
    if (near) return { ...near, cached: 'semantic' as const };
    const fresh = await complete();
    if (mayKeep(fresh)) parts.cache.put(key, fresh, policy.ttlMs, meaning);
    return fresh;
  });
  if (joined) return given(result, 'joined', call);
  return result.cached ? given(result, result.cached, call) : result;
}

function mayKeep(result: CompleteResult): boolean {
  return !result.degraded && !result.notes?.some((note) => NOT_KEPT.includes(note));
}

/** It costs nothing and uses nothing; who watches sees it all at once. */
function given(
  result: CompleteResult,
  cached: NonNullable<CompleteResult['cached']>,
  call: CallContext,
): CompleteResult {
  if (call.live && result.message.content) {
    call.live.begin()(result.message.content);
    call.live.flush();
  }
  return { ...result, cached, usage: { inputTokens: 0, outputTokens: 0 }, costUsd: 0, attempts: [] };
}

async function meaningOf(
  parts: CachingParts,
  policy: CachePolicy,
  ask: Ask,
  question: CacheQuestion,
): Promise<{ surroundings: string; vector: readonly number[] } | undefined> {
  const text = policy.semantic && semanticQuestion(question.chat);
  if (!text || !parts.embedder || !parts.mayEmbed(ask, text)) return undefined;
  try {
    return { surroundings: surroundingsKeyOf(question), vector: await parts.embedder.embed(text, ask.call.signal) };
  } catch (error) {
    // without it the question is asked, that is all
    parts.log.warn({ err: error }, 'a question could not be embedded for the semantic cache');
    return undefined;
  }
}
