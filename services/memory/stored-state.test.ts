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

test('a state with questions and sleeps is gone on from', () => {
  const state = parseRunState(fixture('run-state.v2.json'));
  expect(state.view.question).toMatchObject({ text: 'Where to?' });
  const [child] = Object.keys(state.open!.children);
  const [approval] = state.open!.approvals;
  const base = { run: state.view.id, at: 1 };
  const denied = project(state, {
    ...base,
    n: 6,
    type: 'approval.decided',
    approval: approval!.id,
    decision: 'denied',
    by: 'ann',
  })!.state;
  expect(denied.view).toMatchObject({ status: 'waiting', waitingFor: 'input' });
  const answered = project(denied, {
    ...base,
    n: 7,
    type: 'child.waiting',
    child: child!,
    version: 9,
    approvals: [],
  })!.state;
  expect(answered.view).toMatchObject({ status: 'waiting', waitingFor: 'timer', question: null });
  const woken = project(answered, { ...base, n: 8, type: 'sleep.ended', callId: answered.open!.sleeping[0]! })!.state;
  expect(woken.view).toMatchObject({ status: 'running', waitingFor: null });
});

test('what is no state is refused', () => {
  expect(() => parseRunState('{"v":0}')).toThrow();
});
