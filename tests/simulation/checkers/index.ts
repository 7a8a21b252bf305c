/**
 * The judges. Each reads the evidence and says what is wrong with it; none knows how the planner is made. What the
 * simulator notices while things happen (errors, replays that differ) is filed under `errors` and `replay`.
 */
import type { PlannerConfig } from '../../../services/planner/config.ts';
import type { Evidence } from '../evidence.ts';
import type { Projection } from '../projector.ts';
import type { Shadows } from '../shadow.ts';
import type { World } from '../world.ts';
import { atEnd } from './at-end.ts';
import { effects } from './effects.ts';
import { inbound } from './inbound.ts';
import { journals } from './journals.ts';
import { limits } from './limits.ts';
import { ownership } from './ownership.ts';
import { schedules } from './schedules.ts';
import { sessions } from './sessions.ts';

export interface Problem {
  checker: string;
  problem: string;
}

export interface Judged {
  evidence: Evidence;
  world: World;
  shadows: Shadows;
  projection: Projection;
  /** How the world ended: `done`, or what it ran into. */
  outcome: string;
  partitions: number;
  config: PlannerConfig;
  /** What each planner holds at the end; null: not long enough after the last fault to say. */
  held: Map<string, number[]> | null;
  /** Nothing went wrong on the way. */
  calm: boolean;
}

export interface Checker {
  name: string;
  check(judged: Judged): string[];
}

export const CHECKERS: Checker[] = [
  ...atEnd,
  ...journals,
  ...effects,
  ...inbound,
  ...schedules,
  ...sessions,
  ...limits,
  ...ownership,
];
