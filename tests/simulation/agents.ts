/** The bundle that everyone in the simulated world works with: one agent for each way in which a run can go. */
import { Bundle, contentHash, type ToolDefinition } from '@tutti/contracts';

const tool = (name: string, effect: ToolDefinition['effect'], undo?: string): ToolDefinition => ({
  name,
  description: name,
  parameters: { type: 'object', properties: {} },
  effect,
  ...(undo ? { undo } : {}),
});

/** `look` may be repeated; `book` is known by its key; `pay` needs a person's yes. */
export const TOOLS: ToolDefinition[] = [tool('look', 'pure'), tool('book', 'keyed'), tool('pay', 'irreversible')];
export const TOOLSET = contentHash(TOOLS);
export const NEEDS_APPROVAL = 'pay';

/** Times in virtual ms: long enough for what is meant to happen, short enough that nothing hangs for an hour. */
const LIMITS = {
  wallTimeMs: 120_000,
  stepTimeoutMs: 20_000,
  modelTimeoutMs: 15_000,
  toolTimeoutMs: 15_000,
  approvalTtlMs: 15_000,
  questionTtlMs: 15_000,
} as const;

/** A run that repeats itself must come to one of these. */
export const TIGHT = { modelCallsMax: 3, toolCallsMax: 4, stepsMax: 12 } as const;

const base = { instructions: 'Do it.', limits: LIMITS };
export const BUNDLE = Bundle.parse({
  v: 1,
  name: 'simulation',
  agents: {
    answerer: { ...base, name: 'answerer', strategy: 'direct', knowledge: ['notes'] },
    worker: { ...base, name: 'worker', strategy: 'react', tools: ['*'] },
    planner: { ...base, name: 'planner', strategy: 'plan', tools: ['*'], agents: ['worker'] },
    boss: { ...base, name: 'boss', strategy: 'react', tools: ['look'], agents: ['worker', 'answerer'] },
    asker: { ...base, name: 'asker', strategy: 'react', tools: ['look', 'ask_user', 'sleep'] },
    looper: { ...base, name: 'looper', strategy: 'react', tools: ['*'], limits: { ...LIMITS, ...TIGHT } },
    thinker: { ...base, name: 'thinker', tools: ['*'], strategy: 'auto' },
  },
  tools: {},
  collections: { notes: { name: 'notes' } },
});
export const BUNDLE_HASH = contentHash(BUNDLE);

/** One that no gateway lets through: an agent without the list of tools that every decision reads. It makes the state machine throw. */
export const POISON = { ...BUNDLE, agents: { worker: { ...BUNDLE.agents.worker, tools: undefined } } };
export const POISON_HASH = contentHash(POISON);
export type AgentName = 'answerer' | 'worker' | 'planner' | 'boss' | 'asker' | 'looper' | 'thinker';
