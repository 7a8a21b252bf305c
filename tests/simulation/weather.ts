/**
 * What goes wrong in one simulated world. Every seed has a weather of its own: each kind of fault is left out in some
 * worlds and frequent in others, so that rare faults are not always drowned by frequent ones (swarm testing, Groce et al.
 * 2012). All faults end at `healedAt`: from then on everything has to come to its end by itself.
 */
import type { BusFaults, Random, VirtualProcess, VirtualTime } from '@tutti/testkit';
import type { WorkerWeather } from './workers.ts';

export interface Weather {
  /** Virtual ms at which the last fault is over. */
  healedAt: number;
  /** Typical ms of one way. */
  latencyMs: number;
  // Probabilities, per message or call.
  coreLost: number;
  coreRepeated: number;
  coreLate: number;
  callLost: number;
  callUnanswered: number;
  followRepeated: number;
  followStalled: number;
  bufferKept: number;
  /** A planner dies, per thing that it asks the bus for. */
  crashAtCall: number;
  // How many of each happen, at any time before it is over.
  crashes: number;
  freezes: number;
  workerCrashes: number;
  workerFreezes: number;
  drops: number;
  restarts: number;
  leasesStolen: number;
  drains: number;
  clockJumps: number;
  workers: WorkerWeather;
}

const FAULTS_FOR_MIN_MS = 3_000;
const FAULTS_FOR_MAX_MS = 12_000;
/** How likely a kind of fault is to be there at all. */
const PRESENT = 0.45;

export function drawWeather(random: Random, calm = false): Weather {
  const often = (most: number) => (!calm && random.chance(PRESENT) ? random.between(0, most) : 0);
  const times = (most: number) => Math.ceil(often(most));
  return {
    healedAt: random.between(FAULTS_FOR_MIN_MS, FAULTS_FOR_MAX_MS),
    latencyMs: random.chance(0.3) ? random.between(2, 20) : random.between(0.1, 1),
    coreLost: often(0.15),
    coreRepeated: often(0.15),
    coreLate: often(0.2),
    callLost: often(0.06),
    callUnanswered: often(0.06),
    followRepeated: often(0.1),
    followStalled: often(0.03),
    bufferKept: random.next(),
    crashAtCall: often(0.01),
    crashes: times(4),
    freezes: times(4),
    workerCrashes: times(4),
    workerFreezes: times(2),
    drops: times(5),
    restarts: times(2),
    leasesStolen: times(5),
    drains: times(2),
    clockJumps: times(3),
    workers: workersOf(random),
  };
}

function workersOf(random: Random): WorkerWeather {
  const often = (most: number) => (random.chance(PRESENT) ? random.between(0, most) : 0);
  return { slow: often(0.15), failing: often(0.15), busy: often(0.5) };
}

/** The bus's part of the weather. `mayCrash`: whose processes may die at any call. */
export function busFaults(
  time: VirtualTime,
  weather: Weather,
  mayCrash: (process: VirtualProcess) => boolean,
  crash: (process: VirtualProcess) => void,
): BusFaults {
  const { random } = time;
  const stormy = () => time.now < weather.healedAt;
  return {
    latencyMs: () => weather.latencyMs * random.between(0.3, 1.7),
    core() {
      if (!stormy()) return { copies: 1, lateMs: 0 };
      const copies = random.chance(weather.coreLost) ? 0 : random.chance(weather.coreRepeated) ? 2 : 1;
      return { copies, lateMs: random.chance(weather.coreLate) ? random.between(1, LATE_MAX_MS) : 0 };
    },
    call() {
      if (!stormy()) return 'ok';
      if (random.chance(weather.callLost)) return 'lost';
      return random.chance(weather.callUnanswered) ? 'unanswered' : 'ok';
    },
    follow() {
      if (!stormy()) return 'ok';
      if (random.chance(weather.followStalled)) return 'stalled';
      return random.chance(weather.followRepeated) ? 'repeated' : 'ok';
    },
    touch(process, what) {
      if (!stormy() || weather.crashAtCall === 0 || !mayCrash(process) || !random.chance(weather.crashAtCall)) return;
      time.note?.(`${process.name} dies at: ${what}`);
      crash(process);
    },
    keepsBuffer: () => random.chance(weather.bufferKept),
  };
}

const LATE_MAX_MS = 400;
