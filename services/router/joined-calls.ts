/**
 * Idempotency by call id: a repeat of a call that is under way joins it, a repeat of a finished one gets its result.
 * Failures are not remembered. Work stops when everyone who waited for it has gone.
 */
interface Open<T> {
  result: Promise<T>;
  waiting: number;
  controller: AbortController;
}

export interface JoinedCalls<T> {
  run(key: string, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T>;
}

export function createJoinedCalls<T>(resultsMax: number): JoinedCalls<T> {
  const open = new Map<string, Open<T>>();
  const results = new Map<string, T>();

  function start(key: string, work: (signal: AbortSignal) => Promise<T>): Open<T> {
    const controller = new AbortController();
    const call: Open<T> = { controller, waiting: 0, result: work(controller.signal) };
    open.set(key, call);
    const ended = () => {
      if (open.get(key) === call) open.delete(key);
    };
    call.result.then((value) => {
      ended();
      if (results.size >= resultsMax) results.delete(results.keys().next().value as string);
      if (resultsMax > 0) results.set(key, value);
    }, ended);
    return call;
  }

  return {
    async run(key, signal, work) {
      const known = results.get(key);
      if (known !== undefined) return known;
      // one that is being given up is not joined
      const under = open.get(key);
      const call = under && !under.controller.signal.aborted ? under : start(key, work);
      call.waiting += 1;
      const leave = () => {
        call.waiting -= 1;
        if (call.waiting === 0) call.controller.abort(signal.reason);
      };
      if (signal.aborted) leave();
      else signal.addEventListener('abort', leave, { once: true });
      try {
        return await call.result;
      } finally {
        signal.removeEventListener('abort', leave);
      }
    },
  };
}
