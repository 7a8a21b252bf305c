/** The breakers of all models of this process. */
import {
  type Breaker,
  type BreakerLimits,
  blockedBy,
  closedBreaker,
  onAbandoned,
  onCoolDown,
  onFailure,
  onSent,
  onSuccess,
} from './core/breaker.ts';
import type { Health } from './core/choose.ts';
import { countsAgainstHealth, type FailureKind } from './core/failure.ts';
import type { ModelEntry } from './core/model.ts';

export interface ModelHealth {
  now(catalogue: readonly ModelEntry[]): Health;
  sent(model: string): void;
  succeeded(model: string): void;
  failed(model: string, kind: FailureKind): void;
  coolDown(model: string, durationMs: number): void;
}

export function createModelHealth(limits: BreakerLimits, clock: () => number = Date.now): ModelHealth {
  const breakers = new Map<string, Breaker>();
  const change = (model: string, next: (breaker: Breaker) => Breaker) =>
    void breakers.set(model, next(breakers.get(model) ?? closedBreaker));
  return {
    now(catalogue) {
      const at = clock();
      return new Map(
        catalogue.map(({ id }) => {
          const blocked = blockedBy(breakers.get(id) ?? closedBreaker, at);
          return [id, blocked === undefined ? undefined : { blocked }];
        }),
      );
    },
    sent: (model) => change(model, onSent),
    succeeded: (model) => change(model, onSuccess),
    failed: (model, kind) =>
      change(model, (breaker) =>
        countsAgainstHealth(kind) ? onFailure(breaker, clock(), limits) : onAbandoned(breaker),
      ),
    coolDown: (model, durationMs) => change(model, (breaker) => onCoolDown(breaker, clock() + durationMs)),
  };
}
