/** Answers that were given before, where the agent allows it: the same question, or one that means the same. */
import type { CachePolicy, CompleteBody, CompleteResult } from '@tutti/contracts';
import type { Logger } from '@tutti/runtime';
import type { z } from 'zod';
import type { AnswerCache } from './answer-cache.ts';
import { cacheKeyOf, semanticQuestion, surroundingsKeyOf } from './core/cache-key.ts';
import type { Embedder } from './ports/embedder.ts';
import type { CallContext } from './stages.ts';

export interface CachingParts {
  cache: AnswerCache;
  /** Undefined: none is configured, and only the same words are the same question. */
  embedder: Embedder | undefined;
  log: Logger;
}

/** What must not be given to the next one who asks. */
const NOT_KEPT: readonly string[] = ['refused', 'truncated', 'not_verified', 'usage_suspect'];

export async function completeCached(
  parts: CachingParts,
  policy: CachePolicy,
  tenant: string,
  body: z.output<typeof CompleteBody>,
  call: CallContext,
  complete: () => Promise<CompleteResult>,
): Promise<CompleteResult> {
  const { bundle, model, agent, chat } = body;
  const question = { tenant, bundle, model, agent, chat, nowWithinMs: policy.nowWithinMs };
  const key = cacheKeyOf(question);
  const known = parts.cache.get(key);
  if (known) return given(known, 'exact', call);
  const { result, joined } = await parts.cache.once(key, async () => {
    const meaning = await meaningOf(parts, policy, question, call.signal);
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
  question: Parameters<typeof surroundingsKeyOf>[0],
  signal: AbortSignal,
): Promise<{ surroundings: string; vector: readonly number[] } | undefined> {
  const text = policy.semantic && semanticQuestion(question.chat);
  if (!text || !parts.embedder) return undefined;
  try {
    return { surroundings: surroundingsKeyOf(question), vector: await parts.embedder.embed(text, signal) };
  } catch (error) {
    // without it the question is asked, that is all
    parts.log.warn({ error: String(error) }, 'a question could not be embedded for the semantic cache');
    return undefined;
  }
}
