/** How many tools may run at once, in all and each. Over it: refused at once with a hint, nothing is queued. */
import { TuttiError } from '@tutti/contracts';

export const BUSY_RETRY_MS = 250;

export interface Admission {
  /** Returns what gives the place back. Throws TuttiError `overloaded`. */
  enter(tool: string): () => void;
}

export function createAdmission(limits: { concurrentMax: number; concurrentPerToolMax: number }): Admission {
  const perTool = new Map<string, number>();
  let all = 0;
  return {
    enter(tool) {
      const running = perTool.get(tool) ?? 0;
      if (all >= limits.concurrentMax)
        throw new TuttiError('overloaded', `${all} tool calls run at once, the limit`, { retryAfterMs: BUSY_RETRY_MS });
      if (running >= limits.concurrentPerToolMax)
        throw new TuttiError('overloaded', `${running} calls of "${tool}" run at once, the limit`, {
          retryAfterMs: BUSY_RETRY_MS,
        });
      all += 1;
      perTool.set(tool, running + 1);
      let inside = true;
      return () => {
        if (!inside) return;
        inside = false;
        all -= 1;
        const left = perTool.get(tool)! - 1;
        if (left === 0) perTool.delete(tool);
        else perTool.set(tool, left);
      };
    },
  };
}
