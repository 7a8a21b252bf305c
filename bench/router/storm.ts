/**
 * Calls under a storm of faults, every second one streamed, every tenth for JSON of a schema. An answer counts when it is, to
 * the letter, what one provider said to this very call; what claims to be an answer and is not is `wrong`.
 */
import { atOnce, post, type Reply, type Target } from './client.ts';
import { answerTo, type Books, STORM_PROVIDERS } from './fakes.ts';

export interface StormResult {
  name: string;
  calls: number;
  ok: number;
  /** Errors that say so. */
  failed: number;
  /** Spliced, cut off, or not what was asked for, and called an answer all the same. */
  wrong: number;
  wrongSplices: number;
  successRate: number;
  attemptsPerCall: number;
  seconds: number;
  p50Ms: number;
  p99Ms: number;
  errors: Record<string, number>;
}

const schema = {
  type: 'object',
  properties: { call: { type: 'integer' }, provider: { type: 'string' } },
  required: ['call', 'provider'],
  additionalProperties: false,
};

export async function storm(
  target: Target,
  options: { calls: number; concurrency: number },
  books: () => Promise<Books>,
): Promise<StormResult> {
  const counts = { ok: 0, failed: 0, wrong: 0, wrongSplices: 0 };
  const errors: Record<string, number> = {};
  const times: number[] = [];
  const startedAt = performance.now();
  await atOnce(options.concurrency, async (n) => {
    if (n >= options.calls) return false;
    const json = n % 10 === 9;
    const stream = n % 2 === 0 && !target.noStreams;
    const content = `[call ${n}] Say what you know${json ? ' as JSON' : ''}.`;
    const format = { type: 'json_schema', json_schema: { name: 'call', schema, strict: true } };
    const body = {
      messages: [{ role: 'user', content }],
      ...(json ? { response_format: format } : {}),
      ...(stream ? { stream: true } : {}),
    };
    const sentAt = performance.now();
    const reply = await post(target, body, { 'x-tutti-superseded': 'reset' });
    times.push(performance.now() - sentAt);
    const said = stream ? streamed(reply) : whole(reply);
    const verdict = judge(String(n), json, said);
    if (verdict === 'splice') {
      counts.wrong += 1;
      counts.wrongSplices += 1;
    } else counts[verdict] += 1;
    if (verdict === 'failed') errors[said.error!] = (errors[said.error!] ?? 0) + 1;
    return true;
  });
  times.sort((a, b) => a - b);
  const { requests } = await books();
  return {
    name: target.name,
    calls: options.calls,
    ...counts,
    successRate: counts.ok / options.calls,
    attemptsPerCall: requests / options.calls,
    seconds: (performance.now() - startedAt) / 1_000,
    p50Ms: times[Math.floor(times.length * 0.5)]!,
    p99Ms: times[Math.floor(times.length * 0.99)]!,
    errors,
  };
}

interface Said {
  text?: string;
  error?: string;
}

function whole({ status, body, broken }: Reply): Said {
  if (broken) return { error: 'connection' };
  if (status !== 200) return { error: String(status) };
  try {
    return { text: JSON.parse(body).choices?.[0]?.message?.content ?? '' };
  } catch {
    return { text: body };
  }
}

/** As a client sees it: the text up to the end, an error where the stream says so or breaks off without its end. */
function streamed({ status, body, broken }: Reply): Said {
  if (broken) return { error: 'connection' };
  if (status !== 200) return { error: String(status) };
  let text = '';
  let finished = false;
  for (const line of body.split('\n')) {
    if (!line.startsWith('data: ') || line === 'data: [DONE]') continue;
    try {
      const chunk = JSON.parse(line.slice(6));
      if (chunk.error) return { error: 'in the stream' };
      if (chunk.tutti?.superseded) text = '';
      text += chunk.choices?.[0]?.delta?.content ?? '';
      if (chunk.choices?.[0]?.finish_reason) finished = true;
    } catch {
      return { text: body };
    }
  }
  // clients that look can tell: OpenAI's own package does not
  return finished ? { text } : { error: 'stream without an end' };
}

function judge(call: string, json: boolean, { text, error }: Said): 'ok' | 'failed' | 'wrong' | 'splice' {
  if (error !== undefined || text === undefined) return 'failed';
  if (json) {
    try {
      const value = JSON.parse(text);
      return value.call === Number(call) && STORM_PROVIDERS.includes(value.provider) ? 'ok' : 'wrong';
    } catch {
      return 'wrong';
    }
  }
  if (STORM_PROVIDERS.some((provider) => text === answerTo(call, provider))) return 'ok';
  const voices = (text.match(/answer to|from [abc]:/g) ?? []).length;
  return voices > 2 ? 'splice' : 'wrong';
}
