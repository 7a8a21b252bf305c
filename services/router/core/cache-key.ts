/**
 * What makes two model calls the same: the tenant, the bundle (and with it every policy), who answers, everything that is
 * sent, and the label of it: policy may let a model see the same words with one label and not with another. The moment is
 * rounded down, or no call would ever be the same as another.
 */
import { type ChatRequest, contentHash, type Label } from '@tutti/contracts';

export interface CacheQuestion {
  tenant: string;
  /** Hash of the bundle. */
  bundle: string;
  /** What was asked for: a model, a route or `auto`. */
  model: string;
  agent: string;
  chat: ChatRequest;
  /** Of all that is sent. */
  label?: Label | undefined;
  /** Answers of the same stretch of time are the same, in milliseconds. */
  nowWithinMs: number;
}

export function cacheKeyOf({ tenant, bundle, model, agent, chat, label, nowWithinMs }: CacheQuestion): string {
  const { now, ...rest } = chat;
  const at = Date.parse(now);
  const moment = Number.isNaN(at) ? now : Math.floor(at / nowWithinMs);
  return `${tenant}\n${contentHash({ bundle, model, agent, label: label ?? null, moment, ...rest })}`;
}

/** All but the last user message: what has to be the same for two questions to be compared by their meaning. */
export function surroundingsKeyOf(question: CacheQuestion): string {
  return cacheKeyOf({
    ...question,
    chat: { ...question.chat, messages: withoutQuestion(question.chat), passages: [] },
  });
}

/** Undefined: this request is not a single question without tools, so meaning alone cannot answer it. */
export function semanticQuestion(chat: ChatRequest): string | undefined {
  if (chat.tools.length > 0 || chat.responseFormat.type !== 'text') return undefined;
  const spoken = chat.messages.filter(({ role }) => role !== 'system');
  return spoken.length === 1 && spoken[0]!.role === 'user' ? spoken[0]!.content : undefined;
}

function withoutQuestion(chat: ChatRequest): ChatRequest['messages'] {
  return chat.messages.map((message) => (message.role === 'user' ? { ...message, content: '' } : message));
}
