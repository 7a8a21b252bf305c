/**
 * The kill switch as every service has it: all switches of the bus in memory, kept up to date by watching their bucket,
 * and set by whoever may. Invariants: `ready` resolves only when every switch that was set before is known; what cannot
 * be read counts as stopped; after every loss of the bus all are read again.
 */
import {
  BUCKETS,
  nameOfTarget,
  SWITCH_DECISIONS_MAX,
  type SwitchDecision,
  SwitchState,
  type SwitchTarget,
  switchKey,
  TuttiError,
} from '@tutti/contracts';
import { type Bucket, type Bus, BusConflict } from './bus/port.ts';
import type { Logger } from './log.ts';

const SET_TRIES_MAX = 5;
/** Between tries to watch again. */
const WATCH_RETRY_MS = 250;
const text = new TextDecoder();
const bytes = new TextEncoder();

export interface WhatActs {
  tenant: string;
  agent?: string;
  tool?: string;
}

export interface Switches {
  /** Why this may not act, in words; undefined: nobody has stopped it. Costs a few look-ups, and nothing while no switch is set. */
  stop(what: WhatActs): string | undefined;
  /** Every switch that was ever set, with its decisions. */
  list(): SwitchState[];
  /** Stops or releases, and resolves when that is stored; the others know it within a second. */
  set(target: SwitchTarget, decision: SwitchDecision): Promise<SwitchState>;
  close(): void;
}

export async function openSwitches(bus: Bus, log: Logger): Promise<Switches> {
  /** By key: why it is stopped, and all that was decided. */
  const stops = new Map<string, string>();
  const states = new Map<string, SwitchState>();
  let watch: { stop(): void } | undefined;
  let closed = false;

  function take(key: string, value: Uint8Array | undefined): void {
    if (!value) {
      stops.delete(key);
      states.delete(key);
      return;
    }
    const state = read(value);
    if (!state) {
      log.error({ key }, 'a switch cannot be read: what it is for counts as stopped');
      stops.set(key, `"${key}" was stopped by a switch that cannot be read`);
      return;
    }
    states.set(key, state);
    const { stopped, by, reason } = state.decisions[0]!;
    if (stopped) stops.set(key, `${by} has stopped ${nameOfTarget(state.target)}${reason ? `: ${reason}` : ''}`);
    else stops.delete(key);
  }

  async function follow(bucket: Bucket): Promise<void> {
    const watching = await bucket.watch((key, entry) => take(key, entry?.value));
    await watching.ready;
    watch?.stop();
    watch = watching;
  }
  const bucket = await bus.bucket(BUCKETS.switches);
  await follow(bucket);

  async function followAgain(): Promise<void> {
    while (!closed && bus.connected) {
      try {
        return await follow(bucket);
      } catch (error) {
        log.warn({ err: error }, 'the switches cannot be watched right now');
        await new Promise((resolve) => setTimeout(resolve, WATCH_RETRY_MS));
      }
    }
  }
  const status = bus.onStatus((now) => {
    if (now === 'connected') void followAgain();
  });

  async function set(target: SwitchTarget, decision: SwitchDecision): Promise<SwitchState> {
    const key = switchKey(target);
    for (let attempt = 1; attempt <= SET_TRIES_MAX; attempt++) {
      const there = await bucket.get(key);
      const earlier = there ? (read(there.value)?.decisions ?? []) : [];
      const decisions = [decision, ...earlier].slice(0, SWITCH_DECISIONS_MAX);
      const state: SwitchState = { v: 1, target, decisions };
      const value = bytes.encode(JSON.stringify(SwitchState.parse(state)));
      try {
        if (there) await bucket.update(key, value, there.revision);
        else await bucket.create(key, value);
        take(key, value);
        return state;
      } catch (error) {
        if (!(error instanceof BusConflict)) throw error;
      }
    }
    throw new TuttiError('unavailable', `the switch of ${nameOfTarget(target)} is being set by others right now`);
  }

  return {
    stop({ tenant, agent, tool }) {
      if (stops.size === 0) return undefined;
      return (
        stops.get('all') ??
        stops.get(`tenant.${tenant}`) ??
        (agent === undefined ? undefined : stops.get(`agent.${tenant}.${agent}`)) ??
        (tool === undefined ? undefined : stops.get(`tool.${tenant}.${tool}`))
      );
    },
    list: () => [...states.values()],
    set,
    close() {
      closed = true;
      status.stop();
      watch?.stop();
    },
  };
}

function read(value: Uint8Array): SwitchState | undefined {
  try {
    return SwitchState.parse(JSON.parse(text.decode(value)));
  } catch {
    return undefined;
  }
}
