/** The points at which the matrix stops a call, seen from outside of Tutti: a message on a link to the bus, or the target. */
import { type EffectKind, RequestBatch, ResultBatch, subjects } from '@tutti/contracts';
import type { Frame } from './frames.ts';
import type { Direction } from './held-link.ts';
import type { Hold } from './target.ts';

export const KINDS = ['pure', 'keyed', 'probeable', 'irreversible'] as const satisfies readonly EffectKind[];
export const POINTS = [
  'before intent',
  'after intent',
  'after dispatch',
  'after effect',
  'after outcome',
  'after reply',
] as const;
export type Point = (typeof POINTS)[number];
export const VICTIMS = ['planner', 'tools', 'target', 'bus'] as const;
export type Victim = (typeof VICTIMS)[number];

/** A pure call has neither intent nor outcome. */
export function exists(kind: EffectKind, point: Point): boolean {
  return kind !== 'pure' || !['before intent', 'after intent', 'after outcome'].includes(point);
}

/** What the target does at this point. */
export function holdAt(point: Point): Hold {
  return point === 'after dispatch' ? 'before' : point === 'after effect' ? 'after' : 'never';
}

/** Follows the calls of one cell over all links, and says which message is the one to hold. */
export class Watcher {
  #point: Point | undefined;
  /** By call id. */
  #kinds = new Map<string, EffectKind>();
  /** Subjects on which the ledger's acknowledgements come, with whose they are. */
  #acknowledged = new Map<string, { kind: EffectKind; record: string }>();
  #holding = false;
  /** Calls that have been stopped at the point. */
  readonly stopped = new Set<EffectKind>();
  /** Processes of tools that were asked to carry out one of them. */
  readonly replicas = new Set<string>();

  begin(point: Point): void {
    this.#point = point;
    this.#kinds = new Map();
    this.#acknowledged = new Map();
    this.stopped.clear();
    this.replicas.clear();
    this.#holding = true;
  }
  /** From now on all messages pass. */
  end(): void {
    this.#holding = false;
  }

  readonly watch = (link: string, direction: Direction, frame: Frame): boolean => {
    if (!this.#holding) return false;
    if (link.startsWith('tools-')) return this.#ofTools(link, direction, frame);
    if (link.startsWith('planner-') && direction === 'received') return this.#toPlanner(frame);
    return false;
  };

  #ofTools(link: string, direction: Direction, frame: Frame): boolean {
    if (direction === 'received' && frame.subject === subjects.request('tools', 'execute')) {
      this.replicas.add(link);
      for (const item of RequestBatch.parse(JSON.parse(frame.payload)).items)
        this.#kinds.set(item.callId, (item.body as { tool: EffectKind }).tool);
      return false;
    }
    if (direction === 'sent' && frame.subject.startsWith('tutti.effect.')) {
      const { kind: record, tool } = JSON.parse(frame.payload) as { kind: string; tool: EffectKind };
      this.#acknowledged.set(frame.reply, { kind: tool, record });
      return this.#hold(this.#point === 'before intent' && record === 'intent' ? tool : undefined);
    }
    const acknowledged = direction === 'received' ? this.#acknowledged.get(frame.subject) : undefined;
    const wanted = this.#point === 'after intent' ? 'intent' : this.#point === 'after outcome' ? 'outcome' : undefined;
    return this.#hold(acknowledged && acknowledged.record === wanted ? acknowledged.kind : undefined);
  }

  /** What a call came to, on its way to whoever asked. Several may come in one message: all of them are stopped then. */
  #toPlanner(frame: Frame): boolean {
    if (this.#point !== 'after reply' || !frame.payload.startsWith('{"v":1,"results":')) return false;
    const { results } = ResultBatch.parse(JSON.parse(frame.payload));
    let held = false;
    for (const result of results) {
      const isDone = result.ok && (result.body as { status?: string } | undefined)?.status === 'done';
      if (isDone) held = this.#hold(this.#kinds.get(result.callId)) || held;
    }
    return held;
  }

  #hold(kind: EffectKind | undefined): boolean {
    if (kind === undefined) return false;
    this.stopped.add(kind);
    return true;
  }
}
