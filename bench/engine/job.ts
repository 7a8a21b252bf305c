/**
 * The job that every run does, here and in the peers: gather → model → tool → model → remember, with instant fakes.
 * The tool is the real built-in calculator behind the real tools service and its policy gate.
 */
import type { Bundle } from '@tutti/contracts';

export const TENANT = 'bench';
export const AGENT = 'worker';
export const GOAL = 'What do three nights at 189 cost together with the flight at 412?';
export const EXPRESSION = '412 + 567';
export const ANSWER = 'The trip costs 979 in all [1].';
export const PASSAGE = {
  id: 'prices-1',
  document: 'prices',
  title: 'Prices',
  text: 'A night in the hotel is 189. The flight there and back is 412.',
};

export const bundle: Bundle = {
  v: 1,
  name: 'bench',
  agents: {
    [AGENT]: {
      name: AGENT,
      description: 'Adds up what things cost.',
      strategy: 'react',
      instructions: 'Answer from the passages. Use the calculator for every sum.',
      model: 'auto',
      tools: ['calculator'],
      knowledge: ['prices'],
      facts: [],
      limits: {},
      timeZone: 'UTC',
    },
  },
  tools: { builtin: { type: 'builtin', prefix: '', tools: {} } },
  collections: { prices: { name: 'prices', description: '' } },
  policies: {},
} as Bundle;
