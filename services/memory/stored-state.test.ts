import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { project } from './core/project.ts';
import { parseRunState } from './stored-state.ts';

const fixture = (name: string) => readFileSync(new URL(`./fixtures/${name}`, import.meta.url), 'utf8');

test('a state that an earlier Tutti stored can still be read, and gone on from', () => {
  const state = parseRunState(fixture('run-state.v1.json'));
  expect(state.view).toMatchObject({ status: 'waiting', version: 5 });
  const [approval] = state.open!.approvals;
  const after = project(state, {
    run: state.view.id,
    n: 6,
    at: 1,
    type: 'approval.decided',
    approval: approval!.id,
    decision: 'approved',
    by: 'ann',
  });
  expect(after?.state.view.status).toBe('running');
});

test('what is no state is refused', () => {
  expect(() => parseRunState('{"v":0}')).toThrow();
});
