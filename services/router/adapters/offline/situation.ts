/**
 * One request seen whole: the goal that stands now, what is known, what was done. Owns the split of a conversation
 * into turns and the plain data that every other part reads; follow-ups are resolved in `follow-up.ts`.
 */
import type { ChatMessage, ChatRequest, Passage } from '@tutti/contracts';
import { type LocalNow, localNow } from './calendar-math.ts';
import { type Goal, readGoal, splitTask, type ToolVerbs } from './goal.ts';
import { STOP_WORDS, VERB_CLASS } from './lexicon.ts';
import { type Observation, parseContent } from './results.ts';
import { readTool, type Tool } from './toolbox.ts';
import { isGeneric } from './verbs.ts';
import { escapeRegExp, stem } from './words.ts';

export interface Turn {
  readonly user: string;
  readonly observations: readonly Observation[];
  /** Last text of the assistant in this turn. */
  readonly answer: string;
}

export interface Situation {
  readonly request: ChatRequest;
  readonly now: LocalNow;
  readonly tools: readonly Tool[];
  readonly toolByName: ReadonlyMap<string, Tool>;
  readonly verbs: ToolVerbs;
  readonly facts: readonly string[];
  readonly passages: readonly Passage[];
  readonly earlier: readonly Turn[];
  /** What the user wrote now. */
  readonly said: string;
  /** The goal complete in itself. */
  readonly goal: Goal;
  /** The whole goal that a sub-task belongs to, or the earlier goal that a follow-up refers to. */
  readonly background: Goal | null;
  /** Results of this run, in order. */
  readonly observations: readonly Observation[];
  /** Whether earlier turns' results may serve as data ("book the second one"). */
  readonly usesPast: boolean;
  /** Earlier results, latest last. */
  readonly past: readonly Observation[];
  /** Texts of assistants in this run, such as sub-tasks' answers. */
  readonly notes: readonly string[];
  /** What has to be undone once the new effect stands. */
  readonly undo: readonly Undo[];
  /** Effect tools that the follow-up names by id instead of by words. */
  readonly amend: Amendment | null;
  /** Tools of a sub-task in this planner's own words, the one that it is about last: all that is known stands in its labels. */
  readonly ownTask: readonly Tool[];
  /** The user said yes to the question that was asked: what it was about is not asked again. */
  readonly affirmed: boolean;
  /** The message only asks: nothing in it, nor in the goal it refers to, may cause an effect. */
  readonly readOnly: boolean;
  /** Why nothing may be done at all; said to the user as it is. */
  readonly refusal: string | null;
}

export interface Undo {
  readonly tool: Tool;
  readonly arguments: Record<string, unknown>;
  readonly undoes: Observation;
}
export interface Amendment {
  readonly tool: Tool;
  readonly arguments: Record<string, unknown>;
}

const MESSAGES_MAX = 2_000;

/** What sub-tasks reported, as the planner puts it into the instructions: `- task`, then its output indented. */
function subTaskNotes(text: string): string[] {
  const block = text.split(/^Results of the sub-tasks:\n/m)[1];
  if (!block) return [];
  return block
    .split(/^- /m)
    .slice(1)
    .map((item) =>
      item
        .split('\n')
        .slice(1)
        .filter((line) => line.startsWith('  '))
        .map((line) => line.slice(2))
        .join('\n')
        .trim(),
    )
    .filter(Boolean);
}

export function splitTurns(messages: readonly ChatMessage[]): { turns: Turn[]; notes: string[] } {
  const turns: { user: string; observations: Observation[]; answer: string; notes: string[] }[] = [];
  const calls = new Map<string, { name: string; arguments: Record<string, unknown> }>();
  const reported: string[] = [];
  let index = 0;
  for (const message of messages.slice(-MESSAGES_MAX)) {
    if (message.role === 'system') {
      reported.push(...subTaskNotes(message.content));
      continue;
    }
    if (message.role === 'user') {
      turns.push({ user: message.content, observations: [], answer: '', notes: [] });
      continue;
    }
    if (turns.length === 0) turns.push({ user: '', observations: [], answer: '', notes: [] });
    const turn = turns.at(-1)!;
    if (message.role === 'assistant') {
      for (const call of message.toolCalls ?? []) calls.set(call.id, call);
      if (message.content?.trim()) {
        turn.answer = message.content.trim();
        turn.notes.push(turn.answer);
      }
    } else {
      const call = calls.get(message.toolCallId);
      const { data, text } = parseContent(message.content);
      index += 1;
      turn.observations.push({
        callId: message.toolCallId,
        tool: call?.name ?? message.name,
        arguments: call?.arguments ?? {},
        data,
        text,
        isError: message.isError === true,
        past: false,
        index,
      });
    }
  }
  return { turns, notes: [...reported, ...(turns.at(-1)?.notes ?? [])] };
}

/** The situation before follow-ups are taken into account. */
export function readSituation(request: ChatRequest): Situation {
  const now = localNow(request.now, request.timeZone);
  const tools = request.tools.map(readTool);
  const verbs = verbsOf(tools);
  const { turns, notes } = splitTurns(request.messages);
  const current = turns.at(-1) ?? { user: '', observations: [], answer: '' };
  const earlier = turns.slice(0, -1);
  const { task, overall } = splitTask(current.user);
  const past = earlier.flatMap((turn) => turn.observations.map((one) => ({ ...one, past: true })));
  return {
    request,
    now,
    tools,
    toolByName: new Map(tools.map((tool) => [tool.name, tool])),
    verbs,
    facts: request.facts,
    passages: request.passages,
    earlier,
    said: task,
    goal: overall ? withoutToolNames(readGoal(task, now, verbs), tools) : readGoal(task, now, verbs),
    background: overall ? readGoal(overall, now, verbs) : null,
    observations: current.observations,
    usesPast: false,
    past,
    notes,
    undo: [],
    amend: null,
    ownTask: overall === null ? [] : ownTask(task, tools),
    affirmed: false,
    readOnly: false,
    refusal: null,
  };
}

/** What these tools add to the verbs that everybody knows. */
function verbsOf(tools: readonly Tool[]): ToolVerbs {
  const acting = tools.filter((tool) => tool.effectful);
  const unknown = (one: string): boolean => !VERB_CLASS.has(one) && !STOP_WORDS.has(one) && one.length > 2;
  return {
    coined: new Map(
      acting.flatMap((tool) => tool.ownVerbs.filter(unknown).map((one) => [stem(one), tool.verbClass] as const)),
    ),
    fromNouns: new Map(
      acting
        .filter((tool) => isGeneric(tool.verb, tool.verbClass) && tool.nouns.length === 1)
        .flatMap((tool) => tool.nouns.filter(unknown).map((noun) => [stem(noun), tool.verbClass] as const)),
    ),
  };
}

/** "Verb object (tool, then tool): name: value; …": how `plan-maker.ts` words its tasks. */
function ownTask(task: string, tools: readonly Tool[]): Tool[] {
  const named = task.match(/^\p{Lu}[^.(]{0,120}\(([\w-]+(?:, then [\w-]+)*)\)[:.]/u)?.[1]?.split(', then ') ?? [];
  const found = named.flatMap((name) => tools.filter((tool) => tool.name === name));
  return found.length === named.length ? found : [];
}

/** A task names its tools; those names are not values. */
function withoutToolNames(goal: Goal, tools: readonly Tool[]): Goal {
  const spans = tools.flatMap((tool) =>
    [...goal.text.matchAll(new RegExp(`(?<![\\w-])${escapeRegExp(tool.name)}(?![\\w-])`, 'g'))].map(
      (match) => [match.index, match.index + tool.name.length] as const,
    ),
  );
  const mentions = goal.mentions.filter((one) => !spans.some(([start, end]) => one.start < end && start < one.end));
  return { ...goal, mentions };
}
