/** Asks of Tutti's own set, labelled by the models of a running Tutti: each answers, and each answer is checked. */
import { type Bundle, type ModelTier, ModelTier as Tiers, TuttiError } from '@tutti/contracts';
import { isRight, type LabelledRow, type MadeAsk, makeAsks, tokensOf } from '@tutti/router/calibration';
import { z } from 'zod';
import type { Api } from '../client/api.ts';

export type RowLine = z.input<typeof LabelledRow>;

const AT_ONCE = 4;
const ANSWER_TIMEOUT_MS = 120_000;
/** A model that has failed at this many asks in a row is not there. */
const FAILURES_MAX = 5;

const Completion = z.object({
  choices: z
    .array(
      z.object({
        message: z.object({
          content: z.string().nullish(),
          tool_calls: z.array(z.object({ function: z.object({ name: z.string() }) })).optional(),
        }),
      }),
    )
    .min(1),
  usage: z.object({ prompt_tokens: z.number(), completion_tokens: z.number() }).optional(),
});

/** `ofKind`: how many asks of each kind. Throws what the API says when a model keeps failing. */
export async function labelAsks(
  api: Api,
  models: ReadonlyMap<ModelTier, string>,
  seed: number,
  ofKind: number,
  say: (done: number, of: number) => void,
): Promise<RowLine[]> {
  const asks = makeAsks(seed, ofKind);
  const rows: RowLine[] = new Array(asks.length);
  const failures = new Map<string, number>();
  let [next, done] = [0, 0];
  const work = async () => {
    for (let at = next++; at < asks.length; at = next++) {
      rows[at] = await labelled(api, models, asks[at]!, failures);
      done += 1;
      say(done, asks.length);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  // one that no model answered says nothing
  return rows.filter(({ right }) => Object.keys(right).length > 0);
}

/** One model a tier, the first that the bundle has: what `model/<id>` reaches. */
export function modelsByTier({ models = {} }: Pick<Bundle, 'models'>): Map<ModelTier, string> {
  const found = new Map<ModelTier, string>();
  for (const tier of Tiers.options) {
    const first = Object.entries(models).find(([, model]) => model.tier === tier);
    if (first) found.set(tier, first[0]);
  }
  return found;
}

async function labelled(
  api: Api,
  models: ReadonlyMap<ModelTier, string>,
  { id, family, chat, expected, load, outputTokens }: MadeAsk,
  failures: Map<string, number>,
): Promise<RowLine> {
  const right: Partial<Record<ModelTier, boolean>> = {};
  let tokens = tokensOf({ chat, outputTokens });
  for (const [tier, model] of models) {
    try {
      const sent = bodyOf(model, chat);
      const { choices, usage } = Completion.parse(
        await api.send('POST', '/v1/chat/completions', sent, ANSWER_TIMEOUT_MS),
      );
      const { content, tool_calls: calls = [] } = choices[0]!.message;
      right[tier] = isRight(expected, { content: content ?? '', tools: calls.map((call) => call.function.name) });
      if (usage) tokens = { input: usage.prompt_tokens, output: usage.completion_tokens };
      failures.set(model, 0);
    } catch (error) {
      const count = (failures.get(model) ?? 0) + 1;
      failures.set(model, count);
      if (error instanceof TuttiError && error.code === 'unavailable') throw error;
      if (count >= FAILURES_MAX)
        throw new TuttiError('model_failed', `${model} failed ${count} times in a row: ${(error as Error).message}`, {
          cause: error,
        });
    }
  }
  return { id, group: family, chat, right, tokens, load, expected };
}

/** OpenAI's Chat Completions have no passages: they stand before the question. */
function bodyOf(model: string, { messages, tools = [], passages = [], responseFormat }: MadeAsk['chat']) {
  const sources = passages.map(({ title, text }, at) => `[${at + 1}] ${title}\n${text}`).join('\n\n');
  const sent = messages.map((message, at) =>
    sources && at === messages.length - 1
      ? { role: message.role, content: `${sources}\n\n${message.content}` }
      : message,
  );
  const format =
    responseFormat?.type === 'json_schema'
      ? {
          response_format: {
            type: 'json_schema',
            json_schema: { name: responseFormat.name, schema: responseFormat.schema },
          },
        }
      : {};
  const offered = tools.map(({ name, description, parameters }) => ({
    type: 'function',
    function: { name, description, parameters },
  }));
  return { model: `model/${model}`, messages: sent, ...(offered.length > 0 ? { tools: offered } : {}), ...format };
}
