/**
 * Makes a fork: checks that it can be, stores the journal that it begins with, and tells a partition to start it.
 * Invariants: the start is only sent once what it needs is stored; with a key, the same request is the same fork, and
 * another one under that key is refused. What is stored is taken away by the owner that has it in its log, or by age.
 */
import {
  type Bundle,
  contentHash,
  derivedRunId,
  derivedSessionId,
  FORKS,
  type ForkBody,
  type ForkPrefix,
  type InboundMessage,
  LIMITS,
  newRunId,
  newSessionId,
  partitionOf,
  type RunEntry,
  type RunStart,
  subjects,
  TuttiError,
} from '@tutti/contracts';
import type { Handler, ServiceContext } from '@tutti/runtime';
import type { z } from 'zod';
import type { PlannerConfig } from '../config.ts';
import { needsToolset } from '../core/engine-tools.ts';
import { isEnding } from '../core/fork.ts';
import { agentOf } from '../core/round.ts';
import { checkVersion, type JournalReader } from './reader.ts';

const DESCRIBE_TIMEOUT_MS = 15_000;
/** Room in the message of the log that takes a fork in: for what is around the entries, and for what the fork does first. */
const ROOM_BYTES = 128 * 1_024;

type Context = Pick<ServiceContext<PlannerConfig>, 'bus' | 'caller' | 'bundles' | 'clock'>;
type Request = z.output<typeof ForkBody>;
interface Fork {
  tenant: string;
  run: string;
  session: string;
  start: RunStart;
  prefix: ForkPrefix;
}

export function forkHandler(context: Context, reader: JournalReader, partitions: number): Handler<'fork'> {
  return async (request, { item }) => {
    const { tenant } = item;
    checkChanges(request.changes);
    const ids = idsFor(request, context.clock.now());
    if (request.key !== undefined && (await isMade(reader, tenant, ids.run, request))) return ids;
    const entries = await reader.read(tenant, request.run, request.version);
    checkPrefix(request, entries);
    const before = startOf(entries);
    const bundle = request.changes.bundle ?? before.bundle;
    const agent = agentIn(await context.bundles.get(bundle), bundle, before.agent);
    const start: RunStart = {
      ...startFrom(before, request, ids),
      bundle,
      recallBefore: before.recallBefore ?? (await conversationAt(reader, tenant, entries)),
      ...(item.traceparent === undefined ? {} : { traceparent: item.traceparent }),
    };
    // A fork from the first entry begins anew and lists its tools itself.
    const lists = request.version > 1 && listsTools(agent, bundle);
    const toolset = lists ? await toolsOf(context, tenant, bundle, before.agent) : null;
    await send(context, partitions, { tenant, ...ids, start, prefix: { v: 1, entries, toolset } });
    return ids;
  };
}

function checkChanges({ input, instructions, model }: Request['changes']): void {
  for (const [name, value] of Object.entries({ input, instructions }))
    if (value !== undefined && value.length > LIMITS.inputCharsMax)
      throw new TuttiError(
        'invalid_request',
        `${name} has ${value.length} characters; at most ${LIMITS.inputCharsMax}`,
      );
  if (model === '') throw new TuttiError('invalid_request', 'model is empty: leave it out for the agent’s own');
}

function checkPrefix({ run, version }: Request, entries: RunEntry[]): void {
  checkVersion(run, entries, version);
  const ending = entries.find(isEnding);
  if (ending)
    throw new TuttiError(
      'invalid_request',
      `run ${run} was ending at version ${ending.n}; fork it from a version before that`,
    );
}

function agentIn(bundle: Bundle, hash: string, name: string) {
  const agent = agentOf(bundle, name);
  if (!agent) throw new TuttiError('not_found', `the bundle ${hash} has no agent "${name}"`);
  return agent;
}

/** A bundle of another version may lack what this one takes for granted. */
function listsTools(agent: ReturnType<typeof agentIn>, hash: string): boolean {
  try {
    return needsToolset(agent);
  } catch (error) {
    throw new TuttiError(
      'invalid_request',
      `this version cannot read the agent "${agent.name}" of the bundle ${hash}: ${(error as Error).message}`,
    );
  }
}

function idsFor({ run: original, version, key }: Request, now: number): { run: string; session: string } {
  if (key === undefined) {
    const session = newSessionId(now);
    return { run: newRunId(session, now), session };
  }
  const session = derivedSessionId(original, `fork\n${version}\n${key}`);
  return { run: derivedRunId(session, original, `fork\n${version}\n${key}`), session };
}

function hashOf({ run, version, changes, effects }: Request): string {
  return contentHash({ run, version, changes, effects });
}

async function isMade(reader: JournalReader, tenant: string, run: string, request: Request): Promise<boolean> {
  const made = await reader.first(tenant, run);
  if (!made) return false;
  if (made.start.fork?.request !== hashOf(request))
    throw new TuttiError('conflict', `this key made the fork ${run} with other changes; use a new key`);
  return true;
}

/** What the original was started with, or what it had become if it was a fork itself. */
function startOf(entries: RunEntry[]): RunStart {
  const forked = entries.findLast((entry) => entry.type === 'run.forked');
  return forked ? forked.start : (entries[0] as Extract<RunEntry, { type: 'run.accepted' }>).start;
}

function startFrom(before: RunStart, request: Request, { run, session }: { run: string; session: string }): RunStart {
  const { input, instructions, model } = request.changes;
  // What belongs to how the original came about: its place in a session or a schedule, its trace.
  const { whenBusy: _busy, schedule: _schedule, traceparent: _trace, ...rest } = before;
  return {
    ...rest,
    ...(input === undefined ? {} : { input }),
    ...(instructions === undefined ? {} : { instructions }),
    ...(model === undefined ? {} : { model }),
    // A task of a plan is told what to do by its brief.
    brief: input === undefined || !before.brief ? before.brief : { ...before.brief, task: input },
    principal: request.principal,
    root: run,
    memorySession: session,
    depth: 0,
    parent: null,
    effects: request.effects,
    fork: {
      run: request.run,
      version: request.version,
      effects: request.effects,
      blob: `fork.${run}`,
      memorySession: before.fork?.memorySession ?? before.memorySession,
      ...(request.key === undefined ? {} : { request: hashOf(request) }),
    },
  };
}

/** When the run at the top began: what the conversation had come to by then is what the fork knows of it. */
async function conversationAt(reader: JournalReader, tenant: string, entries: RunEntry[]): Promise<number> {
  const [first] = entries as [Extract<RunEntry, { type: 'run.accepted' }>];
  const root = first.start.parent ? await reader.first(tenant, first.start.root) : null;
  return (root ?? first).at;
}

async function toolsOf(
  { caller }: Context,
  tenant: string,
  bundle: string,
  agent: string,
): Promise<ForkPrefix['toolset']> {
  const options = { tenant, timeoutMs: DESCRIBE_TIMEOUT_MS };
  try {
    const { hash, tools = [] } = await caller.call('describe', { bundle, agent, have: [] }, options);
    return { hash, tools };
  } catch (error) {
    // A fault of another service is none of this one.
    if (!(error instanceof TuttiError) || error.code !== 'internal') throw error;
    throw new TuttiError('unavailable', `the tools of the agent cannot be listed right now: ${error.message}`);
  }
}

async function send({ bus, clock }: Context, partitions: number, fork: Fork): Promise<void> {
  const { tenant, run, session, start, prefix } = fork;
  const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  const data = encode(prefix);
  const message: InboundMessage = { v: 1, type: 'start', tenant, session, run, at: clock.now(), start };
  const said = encode(message);
  // Everything that an owner makes of the start goes into its log at once; the start is in there twice.
  const room = bus.payloadBytesMax - ROOM_BYTES;
  if (data.length + 2 * said.length > room)
    throw new TuttiError(
      'payload_too_large',
      `the journal of run ${start.fork!.run} has ${data.length} bytes up to version ${start.fork!.version}; a fork begins with at most ${room - 2 * said.length}. Fork it from an earlier version`,
    );
  await (await bus.blobs(FORKS.name)).put(start.fork!.blob, data);
  await bus.append(subjects.inbound(partitionOf(session, partitions), tenant, session, run), said, { messageId: run });
}
