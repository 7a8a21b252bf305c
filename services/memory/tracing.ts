/** The spans of the store, as the database conventions have them: what a run recalls, and what it leaves behind. */
import { toErrorInfo } from '@tutti/contracts';
import { ATTR, failureOf, SPAN, type Telemetry } from '@tutti/runtime';

export type TracedStore = <T>(
  call: { operation: 'find' | 'upsert'; traceparent: string | undefined; rows?: (result: T) => number },
  work: () => Promise<T>,
) => Promise<T>;

const COLLECTION = 'turns';

/** `system`: as the conventions name it. */
export function traceStore(telemetry: Telemetry, system: 'sqlite' | 'mongodb'): TracedStore {
  const commons = new Map(
    (['find', 'upsert'] as const).map((operation) => [
      operation,
      { [ATTR.dbSystem]: system, [ATTR.dbOperation]: operation, [ATTR.dbCollection]: COLLECTION },
    ]),
  );
  return async ({ operation, traceparent, rows }, work) => {
    if (!telemetry.enabled) return work();
    const span = telemetry.span(SPAN.store(operation, COLLECTION), {
      kind: 'client',
      parent: traceparent,
      common: commons.get(operation)!,
    });
    try {
      const result = await work();
      if (rows) span.attributes({ [ATTR.dbRows]: rows(result) });
      span.end();
      return result;
    } catch (error) {
      const failure = failureOf(toErrorInfo(error));
      span.attributes(failure.attributes);
      span.end({ error: failure.error });
      throw error;
    }
  };
}
