/**
 * Compensation: what a run that ends early has done and could be undone, and the runs that undo it. An undo is an
 * ordinary call of an ordinary run: it passes policies, approvals and the ledger like any other. Invariant: an effect is
 * undone under one call id, whichever run undoes it and however often it is asked for, so it is undone once.
 */
import {
  type Action,
  canonicalJson,
  derivedCallId,
  type ToolDefinition,
  TuttiError,
  type UndoOffer,
} from '@tutti/contracts';
import { EFFECT_UNKNOWN } from './approvals.ts';
import { end } from './ends.ts';
import { definitionOf } from './provenance.ts';
import type { Round } from './round.ts';
import type { ActiveRun } from './state.ts';
import { request } from './steps.ts';

/** Effects that one run offers to undo, the newest; and how long the arguments of one may be as JSON. */
const OFFERS_MAX = 50;
const ARGUMENTS_CHARS_MAX = 4_000;

/** Newest first: what came later may rest on what came before. */
export function offersOf(round: Round, run: ActiveRun): UndoOffer[] {
  if (run.start.undo) return [];
  const unknown = new Set(run.approvals.filter(({ policy }) => policy === EFFECT_UNKNOWN).map(({ callId }) => callId));
  const offers: UndoOffer[] = [];
  const offer = (done: Pick<Action, 'callId' | 'tool' | 'arguments' | 'content'>, uncertain: boolean): void => {
    const definition = definitionOf(round.state, run, done.tool);
    if (!definition?.undo) return;
    offers.push({
      callId: done.callId,
      tool: done.tool,
      undo: definition.undo,
      arguments: undoArguments(definition, done),
      ...(uncertain ? { uncertain } : {}),
    });
  };
  for (const action of run.actions) {
    const uncertain = action.isError && unknown.has(action.callId);
    if (action.effect !== 'pure' && (!action.isError || uncertain)) offer(action, uncertain);
  }
  for (const { callId, step } of [...Object.values(run.open), ...Object.values(run.held)])
    if (step.kind === 'execute' && step.effect !== 'pure' && (run.open[callId] || unknown.has(callId)))
      offer({ callId, tool: step.call.name, arguments: step.call.arguments, content: '' }, true);
  return offers
    .filter((one) => !isUndone(run, one))
    .slice(-OFFERS_MAX)
    .reverse();
}

/** The run has done it itself. */
function isUndone(run: ActiveRun, { undo, arguments: args }: UndoOffer): boolean {
  return run.actions.some(
    (action) => action.tool === undo && !action.isError && canonicalJson(action.arguments) === canonicalJson(args),
  );
}

/** Null: the bundle does not say how, or what is needed is not there. */
function undoArguments(
  { undoWith }: ToolDefinition,
  done: Pick<Action, 'callId' | 'arguments' | 'content'>,
): Record<string, unknown> | null {
  if (!undoWith) return null;
  const args: Record<string, unknown> = {};
  for (const [name, from] of Object.entries(undoWith)) {
    const value = fromWhere(from, done);
    if (value === undefined) return null;
    args[name] = value;
  }
  return JSON.stringify(args).length <= ARGUMENTS_CHARS_MAX ? args : null;
}

function fromWhere(
  from: string,
  { callId, arguments: args, content }: Pick<Action, 'callId' | 'arguments' | 'content'>,
) {
  if (from === '$idempotencyKey') return callId;
  const path = from.split('.');
  if (path[0] === '$arguments') return at(args, path.slice(1));
  if (path[0] !== '$result') return from;
  try {
    return at(JSON.parse(content), path.slice(1));
  } catch {
    return undefined;
  }
}

function at(data: unknown, path: string[]): unknown {
  let value = data;
  for (const key of path) {
    if (value === null || typeof value !== 'object' || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<string, unknown>)[key];
  }
  return value;
}

/** The next effect of a run that undoes, one after the other; its end when there is none. What cannot be undone does not keep the others. */
export function undoNext(round: Round, run: ActiveRun): void {
  const { run: of, offers } = run.start.undo!;
  const settled = new Map(run.actions.map((action) => [action.callId, action]));
  for (const offer of offers) {
    const callId = derivedCallId(of, `undo\n${offer.callId}`);
    if (settled.has(callId)) continue;
    const call = { id: callId, name: offer.undo, arguments: offer.arguments ?? {} };
    return request(round, run, { kind: 'execute', call }, callId);
  }
  const failed = [...settled.values()].filter(({ isError }) => isError);
  if (failed.length > 0) {
    const message = `${failed.length} of ${offers.length} effects of ${of} were not undone`;
    return end(round, run, new TuttiError('tool_failed', message).toInfo());
  }
  const output = `Undone: ${offers.map(({ tool, undo }) => `${tool} (by ${undo})`).join(', ')}.`;
  round.emit(run.id, { type: 'run.completed', output, citations: [], usage: { ...run.usage }, degraded: false });
}
