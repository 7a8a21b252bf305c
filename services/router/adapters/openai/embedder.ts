/** Embeddings by any OpenAI-compatible endpoint. */
import OpenAI from 'openai';
import type { Embedder } from '../../ports/embedder.ts';
import { httpFetch } from './http-fetch.ts';

const TEXT_CHARS_MAX = 8_000;

export interface EmbedderSettings {
  baseUrl?: string | undefined;
  apiKey: string;
  model: string;
  timeoutMs: number;
}

export function createOpenAiEmbedder(settings: EmbedderSettings): Embedder {
  const client = new OpenAI({
    apiKey: settings.apiKey,
    baseURL: settings.baseUrl ?? 'https://api.openai.com/v1',
    maxRetries: 0,
    timeout: settings.timeoutMs,
    logLevel: 'off',
    fetch: httpFetch,
  });
  return {
    async embed(text, signal) {
      const { data } = await client.embeddings.create(
        { model: settings.model, input: text.slice(0, TEXT_CHARS_MAX), encoding_format: 'float' },
        { signal },
      );
      const vector = data[0]?.embedding;
      if (!Array.isArray(vector) || vector.length === 0) throw new Error('the endpoint answered without a vector');
      return vector;
    },
  };
}
