/** What an entry has to say to other runs: letters that stay in the state until the bus has stored them. */
import {
  type ActiveRun,
  inPrefix,
  type Letter,
  openQuestions,
  type PartitionState,
  pendingApprovals,
  sleepsUntil,
} from './state.ts';

export function post(state: PartitionState, letter: Letter): void {
  state.outbox.set(letter.key, letter);
  state.fresh.push(letter);
}

/** A child's parent shows what the child waits for. */
export function tellParent(state: PartitionState, run: ActiveRun, at: number): void {
  const { parent } = run.start;
  if (!parent || inPrefix(run)) return;
  const until = sleepsUntil(run);
  post(state, {
    kind: 'inbound',
    key: `waiting:${run.id}:${run.version}`,
    message: {
      v: 1,
      tenant: run.tenant,
      session: parent.session,
      run: parent.run,
      at,
      type: 'child_waiting',
      child: run.id,
      version: run.version,
      approvals: structuredClone(pendingApprovals(run)),
      questions: structuredClone(openQuestions(run)),
      ...(until === null ? {} : { sleepsUntil: until }),
    },
  });
}
