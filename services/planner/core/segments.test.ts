/** What a request's messages are is told beside them: every message in one segment, in order. */
import { type Action, AgentManifest, type ChatMessage } from '@tutti/contracts';
import { expect, it } from 'vitest';
import { conversation } from './conversation.ts';
import type { ActiveRun } from './state.ts';

const agent = AgentManifest.parse({ name: 'a', instructions: 'Help.' });
const action = (callId: string): Action => ({
  callId,
  tool: 'find',
  arguments: {},
  content: 'x',
  isError: false,
  effect: 'pure',
});
const run = (more: object = {}) =>
  ({
    start: { input: 'Go', brief: null },
    recall: { turns: [], summary: null, facts: [] },
    interrupted: [],
    thread: [],
    actions: [],
    tasks: [],
    earlier: [],
    ...more,
  }) as unknown as ActiveRun;
const kinds = ({ segments, messages }: ReturnType<typeof conversation>) => {
  expect(segments.reduce((sum, segment) => sum + segment.messages, 0)).toBe(messages.length);
  return segments.map((segment) => `${segment.kind} ${segment.messages}`);
};

it('a run without a past has instructions and a goal', () => {
  expect(kinds(conversation(run(), agent, 'act', 0))).toEqual(['instructions 1', 'goal 1']);
});

it('history, a summary, what was done before and the own thread are parts of their own', () => {
  const thread: ChatMessage[] = [
    { role: 'assistant', content: null, toolCalls: [{ id: 'c2', name: 'find', arguments: {} }] },
    { role: 'assistant', content: 'Now this.' },
  ];
  const turn = { run: 'r', session: 's', agent: 'a', at: 1, input: 'Before?', output: 'Yes.', actions: [action('c0')] };
  const long = run({
    start: { input: 'Go', brief: { goal: 'Go', task: 'Look', tools: ['*'], notes: [], actions: [action('c1')] } },
    recall: { turns: [turn], summary: 'They spoke of Rome.', facts: [] },
    interrupted: [{ run: 'r0', input: 'Wait', actions: [] }],
    thread,
    actions: [action('c2')],
  });
  const told = conversation(long, agent, 'act', thread.length);
  expect(kinds(told)).toEqual([
    'instructions 1',
    'summary 1',
    'history 4',
    'history 2',
    'goal 1',
    'earlier 2',
    'thread 3',
  ]);
  expect(told.messages[1]).toEqual({ role: 'system', content: 'Earlier in this conversation: They spoke of Rome.' });
});
