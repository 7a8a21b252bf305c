/** The span of a search in the index, as the GenAI conventions have it. */
import { toErrorInfo } from '@tutti/contracts';
import { ATTR, contentOf, failureOf, OPERATION, SPAN, type Telemetry } from '@tutti/runtime';

export type TracedSearch = <T extends readonly unknown[]>(
  search: { collections: readonly string[]; query: string; traceparent: string | undefined },
  work: () => Promise<T>,
) => Promise<T>;

export function traceSearches(telemetry: Telemetry): TracedSearch {
  return async ({ collections, query, traceparent }, work) => {
    if (!telemetry.enabled) return work();
    const asked = contentOf(query);
    const span = telemetry.span(SPAN.retrieval, {
      kind: 'client',
      parent: traceparent,
      attributes: {
        [ATTR.operation]: OPERATION.retrieval,
        [ATTR.dataSource]: collections.join(','),
        ...(asked === undefined ? {} : { [ATTR.query]: asked }),
      },
    });
    try {
      const passages = await work();
      span.attributes({ [ATTR.passages]: passages.length });
      span.end();
      return passages;
    } catch (error) {
      const failure = failureOf(toErrorInfo(error));
      span.attributes(failure.attributes);
      span.end({ error: failure.error });
      throw error;
    }
  };
}
