/**
 * Time limits of one try: the whole of it, the first token, silence, and too little for too long. Invariant: each ends the
 * try through `abort` with a reason that names its limit, and none outlives `stop`.
 */
export interface TimeLimits {
  /** A stream's first piece. */
  firstTokenTimeoutMs: number;
  /** Silence in a stream that has begun. */
  idleTimeoutMs: number;
  /** Characters a second, over `rateWindowMs`; 0: as slow as it likes. */
  charsPerSecondMin: number;
  rateWindowMs: number;
}

export interface Guards {
  /** Something came in. `chars`: of text and tool arguments. */
  activity(chars: number): void;
  stop(): void;
}

export function createTimeLimits(
  limits: TimeLimits,
  timeoutMs: number,
  streamed: boolean,
  abort: (reason: string) => void,
  clock: () => number = () => performance.now(),
): Guards {
  const whole = setTimeout(() => abort(`no whole answer within ${timeoutMs} ms`), Math.max(1, timeoutMs));
  if (!streamed) return { activity() {}, stop: () => clearTimeout(whole) };
  const { firstTokenTimeoutMs, idleTimeoutMs, charsPerSecondMin, rateWindowMs } = limits;
  let idle = setTimeout(() => abort(`no first token within ${firstTokenTimeoutMs} ms`), firstTokenTimeoutMs);
  let begun = false;
  let since: number | undefined;
  let gathered = 0;

  function rate(chars: number): void {
    if (charsPerSecondMin <= 0 || chars === 0) return;
    const now = clock();
    since ??= now;
    gathered += chars;
    const elapsedMs = now - since;
    if (elapsedMs < rateWindowMs) return;
    const perSecond = (gathered * 1_000) / elapsedMs;
    if (perSecond < charsPerSecondMin)
      abort(`too slow: ${perSecond.toFixed(1)} characters a second, at least ${charsPerSecondMin} are expected`);
    since = now;
    gathered = 0;
  }

  return {
    activity(chars) {
      if (begun) idle.refresh();
      else {
        begun = true;
        clearTimeout(idle);
        idle = setTimeout(() => abort(`silent for ${idleTimeoutMs} ms`), idleTimeoutMs);
      }
      rate(chars);
    },
    stop() {
      clearTimeout(whole);
      clearTimeout(idle);
    },
  };
}
