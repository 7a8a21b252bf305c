/**
 * What runs hold in these benchmarks, sized as in real conversations: six earlier turns, five passages, two tool calls with
 * a page of result each. How a run goes on after that, its goal says (`Goal`).
 */
import { type Bundle, contentHash, type Passage, type ToolDefinition, type Turn } from '@tutti/contracts';

export const TENANT = 'bench';
export const AGENT = 'helper';

/** What a run does once it has looked twice. */
export type Wait = 'nothing' | 'model' | 'approval' | 'question' | 'sleep';
export const goalOf = (wait: Wait, seconds = 0) => `wait:${wait}:${seconds} What do three nights in Lisbon cost?`;
export function waitOf(goal: string): { wait: Wait; seconds: number } {
  const [, wait, seconds] = /^wait:([a-z]+):(\d+)/.exec(goal) ?? [];
  return { wait: (wait ?? 'nothing') as Wait, seconds: Number(seconds ?? 0) };
}

/** A vocabulary whose words are as frequent as they are in a language (Zipf), so that prose packs as well as prose does. */
const SYLLABLES = 'ka lo ti ren mar sol e vi an do qui ster ful ing per tra con a le o shi nor'.split(' ');
const WORDS = Array.from({ length: 5_000 }, (_, i) => {
  let word = '';
  for (let rest = i * 7 + 11; rest > 0; rest = Math.floor(rest / SYLLABLES.length))
    word += SYLLABLES[rest % SYLLABLES.length];
  return word;
});
const ZIPF = WORDS.length ** 0.999;

/** So many characters of prose, another one for another `seed`. */
export function prose(chars: number, seed: number): string {
  let state = Math.imul(seed + 1, 0x9e3779b1) >>> 0 || 1;
  let text = '';
  while (text.length < chars) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    text += `${WORDS[Math.floor(ZIPF ** ((state >>> 0) / 2 ** 32)) - 1]} `;
  }
  return text.slice(0, chars);
}

/** `seed`: others get other ones. */
export const turnsOf = (session: string, seed: number): Turn[] =>
  Array.from({ length: 6 }, (_, i) => ({
    run: `run_${i}`,
    session,
    agent: AGENT,
    at: i,
    input: prose(120, seed + i),
    output: prose(600, seed + i + 10),
    actions: [
      {
        callId: `call_${i}`,
        tool: 'look',
        arguments: { at: prose(30, seed + i) },
        content: prose(300, seed + i + 20),
        isError: false,
        effect: 'pure',
      },
    ],
  }));

/** Out of a hundred documents. */
export const passagesOf = (seed: number): Passage[] =>
  Array.from({ length: 5 }, (_, i) => {
    const document = (seed + i * 31) % 100;
    return {
      id: `guide-${document}`,
      document: `guide-${document}`,
      title: prose(40, document),
      text: prose(800, document),
    };
  });

export const lookedUp = (seed: number) => JSON.stringify({ found: prose(1_200, seed), price: seed });

export const tools: ToolDefinition[] = (['look', 'act'] as const).map((name) => ({
  name,
  description: prose(150, 3),
  parameters: { type: 'object', properties: { at: { type: 'string', description: prose(60, 4) } } },
  effect: name === 'look' ? 'pure' : 'irreversible',
}));
export const toolsHash = contentHash(tools);

export const bundle: Bundle = {
  v: 1,
  name: 'bench',
  agents: {
    [AGENT]: {
      name: AGENT,
      description: '',
      strategy: 'react',
      instructions: prose(1_000, 5),
      model: 'auto',
      tools: ['look', 'act', 'ask_user', 'sleep'],
      knowledge: ['guide'],
      facts: [],
      limits: {},
      timeZone: 'UTC',
    },
  },
  tools: {},
  collections: {},
  policies: {},
};
