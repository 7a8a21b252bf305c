import { expect, test } from 'vitest';
import { turnOf } from '../testing/entries.ts';
import { boundTurn, cut } from './bound-turn.ts';

const LIMITS = {
  inputCharsMax: 100,
  outputCharsMax: 200,
  actionsMax: 2,
  actionContentCharsMax: 150,
  actionArgumentsCharsMax: 400,
};
const action = (fields: object) => ({
  callId: 'c',
  tool: 't',
  arguments: {},
  content: '',
  isError: false,
  effect: 'pure' as const,
  ...fields,
});

test('what fits stays as it is', () => {
  const turn = turnOf('ses_x', 1, { actions: [action({ arguments: { a: 1 } })] });
  expect(boundTurn(turn, LIMITS)).toEqual(turn);
});

test('what does not is cut within its limit, and says by how much', () => {
  const turn = boundTurn(turnOf('ses_x', 1, { input: 'i'.repeat(1_000), output: 'o'.repeat(1_000) }), LIMITS);
  expect(turn.input.length).toBeLessThanOrEqual(100);
  expect(turn.input).toMatch(/^i{52} \[cut: 948 more characters\]$/);
  expect(turn.output.length).toBeLessThanOrEqual(200);
});

test('never half of a character', () => {
  expect(cut('😀'.repeat(100), 101)).toMatch(/^(😀)+ \[cut/u);
});

test('the newest actions are kept, with bounded contents and arguments', () => {
  const many = [1, 2, 3].map((i) => action({ callId: `c${i}`, content: 'x'.repeat(500) }));
  const turn = boundTurn(turnOf('ses_x', 1, { actions: many }), LIMITS);
  expect(turn.actions.map(({ callId }) => callId)).toEqual(['c2', 'c3']);
  for (const { content } of turn.actions) expect(content.length).toBeLessThanOrEqual(150);
});

test('arguments: long texts are cut first, then all gives way to a note', () => {
  const bounded = (values: Record<string, unknown>) =>
    boundTurn(turnOf('ses_x', 1, { actions: [action({ arguments: values })] }), LIMITS).actions[0]!.arguments;
  expect(bounded({ to: 'ann', body: { text: 'x'.repeat(1_000) } })).toMatchObject({ to: 'ann' });
  expect(bounded({ list: Array.from({ length: 1_000 }, (_, i) => i) })).toEqual({
    tutti_cut: expect.stringContaining('characters of JSON'),
  });
});
