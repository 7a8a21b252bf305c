/**
 * OpenAI's Chat Completions API and everything that speaks it, through the `openai` package. The package's own retries
 * are off: the router alone decides what is tried again. Invariant: learned refusals only ever remove parameters.
 */
import type { ChatRequest, ChatResponse } from '@tutti/contracts';
import OpenAI, { APIError } from 'openai';
import type { ChatCompletionCreateParamsBase } from 'openai/resources/chat/completions/completions';
import type { ModelFailure } from '../../core/failure.ts';
import type { CompleteOptions, ModelProvider } from '../../ports/provider.ts';
import { addChunk, draftOf, emptyDraft, finish } from './collect.ts';
import { toModelFailure } from './failures.ts';
import { type Feature, refusedFeature } from './features.ts';
import { httpFetch } from './http-fetch.ts';
import { schemaInWords, strictSchema } from './json-mode.ts';
import { renderMessages, renderToolChoice, renderTools } from './render.ts';

/** The router's own limits end a try much earlier; this only keeps the package's default out of the way. */
const SDK_TIMEOUT_MS = 3_600_000;

export interface OpenAiSettings {
  /** OpenAI's own where it is left out. */
  baseUrl?: string | undefined;
  /** Endpoints without authentication take any. */
  apiKey: string;
  outputCharsMax: number;
}

export function createOpenAiProvider(settings: OpenAiSettings): ModelProvider {
  const client = new OpenAI({
    apiKey: settings.apiKey,
    baseURL: settings.baseUrl ?? 'https://api.openai.com/v1',
    maxRetries: 0,
    timeout: SDK_TIMEOUT_MS,
    logLevel: 'off',
    fetch: httpFetch,
  });
  const refused = new Set<Feature>();

  async function complete(request: ChatRequest, options: CompleteOptions): Promise<ChatResponse> {
    for (;;) {
      const { params, used } = build(request, options, refused);
      try {
        return await send(params, request, options);
      } catch (error) {
        const feature = error instanceof APIError ? refusedFeature(error.status, error.message, used) : undefined;
        if (!feature || options.signal.aborted)
          throw withoutKey(toModelFailure(error, options.signal, Date.now()), settings.apiKey);
        // `used` never holds what is refused, so each turn removes one of a few: this ends
        refused.add(feature);
      }
    }
  }

  async function send(params: ChatCompletionCreateParamsBase, request: ChatRequest, options: CompleteOptions) {
    if (!options.onText) {
      const completion = await client.chat.completions.create({ ...params, stream: false }, { signal: options.signal });
      const whole = draftOf(completion);
      options.onActivity?.(whole.text.length);
      return finish(whole, request);
    }
    const stream = await client.chat.completions.create({ ...params, stream: true }, { signal: options.signal });
    const draft = emptyDraft();
    for await (const chunk of stream) {
      const before = draft.chars;
      const text = addChunk(draft, chunk, settings.outputCharsMax);
      options.onActivity?.(draft.chars - before);
      if (text) options.onText(text);
    }
    // the SDK ends an aborted stream like a finished one
    options.signal.throwIfAborted();
    return finish(draft, request);
  }

  return { name: 'openai', complete };
}

const KEY_CHARS_MIN = 6;

/** Endpoints that repeat a key in what they complain of do not get it into logs and journals. */
function withoutKey(failure: ModelFailure, key: string): ModelFailure {
  if (key.length >= KEY_CHARS_MIN && failure.message.includes(key))
    failure.message = failure.message.replaceAll(key, '[key]');
  return failure;
}

function build(
  request: ChatRequest,
  options: CompleteOptions,
  refused: ReadonlySet<Feature>,
): { params: ChatCompletionCreateParamsBase; used: Set<Feature> } {
  const used = new Set<Feature>();
  const may = (feature: Feature) => {
    if (refused.has(feature)) return false;
    used.add(feature);
    return true;
  };
  const format = request.responseFormat.type === 'json_schema' ? request.responseFormat : undefined;
  const bySchema = format !== undefined && may('json_schema');
  const params: ChatCompletionCreateParamsBase = {
    ...request.parameters,
    model: options.model,
    messages: renderMessages(request, format && !bySchema ? schemaInWords(format.schema) : undefined),
  };
  if (format && bySchema) {
    const strict = strictSchema(format.schema);
    params.response_format = {
      type: 'json_schema',
      json_schema: { name: format.name, schema: strict ?? format.schema, strict: strict !== undefined },
    };
  } else if (format && may('json_object')) {
    params.response_format = { type: 'json_object' };
  }
  if (request.tools.length) {
    params.tools = renderTools(request.tools);
    if (request.toolChoice !== 'auto' && may('tool_choice')) params.tool_choice = renderToolChoice(request.toolChoice);
  }
  if (request.temperature !== undefined && may('temperature')) params.temperature = request.temperature;
  if (request.outputTokensMax !== undefined) {
    if (may('max_completion_tokens')) params.max_completion_tokens = request.outputTokensMax;
    else if (may('max_tokens')) params.max_tokens = request.outputTokensMax;
  }
  if (options.onText && may('stream_options')) params.stream_options = { include_usage: true };
  return { params, used };
}
