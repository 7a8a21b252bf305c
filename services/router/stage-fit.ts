/**
 * The stage `fit`: the request is made to fit the model's window, and personal data is masked where the model is not
 * cleared for it. Secrets never leave the process.
 */
import type { ChatRequest, ChatResponse } from '@tutti/contracts';
import { countText } from './adapters/tokenizer.ts';
import { ModelFailure } from './core/failure.ts';
import { maskRequest, type Restore } from './core/mask.ts';
import type { Target } from './core/model.ts';
import { countRequest, type Packed, pack, surelyFits } from './core/pack.ts';
import { findRulesOf } from './core/privacy-rules.ts';
import { stateOf } from './stage-state.ts';
import type { Ask, Fitted, Window } from './stages.ts';
import { knowsTokenizer, TOKEN_MARGIN } from './token-bounds.ts';

/** Room for an answer where nobody says how long it may be. */
const OUTPUT_TOKENS_DEFAULT = 4_096;
/** Of the window: what such an answer is left at the most. */
const OUTPUT_SHARE_MAX = 0.25;
/** Each time that the provider finds it too long all the same. */
const REFIT_SHARE = 0.75;
/** Label of providers that may see personal data. */
const PII_LABEL = 'pii';

export function isBuiltIn(ask: Ask, target: Target): boolean {
  return ask.catalogue.providers.get(target.endpoint.provider)?.kind === 'offline';
}

/** Throws ModelFailure `context_overflow`. */
export function fit(ask: Ask, target: Target, request: ChatRequest, window: Window): Fitted {
  if (isBuiltIn(ask, target)) return { request };
  const packing = packed(target, request, window);
  if (!packing.fits)
    throw new ModelFailure(
      'context_overflow',
      `what has to stay takes about ${packing.neededTokens} tokens; ${target.entry.id} has room for ${roomOf(target, request, window)}`,
    );
  const { request: masked, counts, restore } = maskRequest(packing.request, findRulesOf(privacyFor(ask, target)));
  const report = {
    ...(packing.report ? { packing: packing.report } : {}),
    ...(Object.keys(counts).length > 0 ? { masked: counts } : {}),
  };
  return {
    request: masked,
    ...(Object.keys(report).length > 0 ? { report } : {}),
    ...(Object.keys(counts).length > 0 ? { restore: restoring(restore) } : {}),
  };
}

function packed(target: Target, request: ChatRequest, window: Window): Packed {
  const room = roomOf(target, request, window);
  if (room === undefined || surelyFits(request, room)) return { fits: true, request, report: undefined };
  return pack(request, room, countText);
}

/** Tokens, as our tokenizer counts. Undefined: as many as there are. */
function roomOf(target: Target, request: ChatRequest, window: Window): number | undefined {
  const { contextTokens, outputTokensMax, refit } = window;
  const smaller = REFIT_SHARE ** refit;
  // nobody says how large it is, only that this was too large
  if (contextTokens === undefined)
    return refit === 0 ? undefined : Math.floor(countRequest(request, countText) * smaller);
  const wished = request.outputTokensMax ?? outputTokensMax ?? OUTPUT_TOKENS_DEFAULT;
  const reserved = request.outputTokensMax ?? Math.min(wished, Math.floor(contextTokens * OUTPUT_SHARE_MAX));
  const margin = knowsTokenizer(target) ? TOKEN_MARGIN.known : TOKEN_MARGIN.unknown;
  return Math.max(0, Math.floor(((contextTokens - reserved) / margin) * smaller));
}

function privacyFor(ask: Ask, { entry, endpoint }: Target) {
  const { privacy } = stateOf(ask);
  if (!privacy) return undefined;
  const cleared =
    endpoint.labels.includes(PII_LABEL) ||
    privacy.cleared.includes(entry.id) ||
    privacy.cleared.includes(endpoint.provider);
  return cleared ? undefined : privacy;
}

function restoring(restore: Restore): NonNullable<Fitted['restore']> {
  return { response: (response) => restored(response, restore), stream: restore.stream };
}

function restored(response: ChatResponse, restore: Restore): ChatResponse {
  const { content, toolCalls } = response.message;
  return {
    ...response,
    message: {
      ...response.message,
      content: content === null ? null : restoredText(content, restore),
      ...(toolCalls
        ? { toolCalls: toolCalls.map((call) => ({ ...call, arguments: restore.value(call.arguments) })) }
        : {}),
    },
  };
}

/** JSON stays JSON: what comes back may hold what JSON has to escape. */
function restoredText(content: string, restore: Restore): string {
  if (!/^\s*[[{]/.test(content)) return restore.text(content);
  try {
    return JSON.stringify(restore.value(JSON.parse(content)));
  } catch {
    return restore.text(content);
  }
}
