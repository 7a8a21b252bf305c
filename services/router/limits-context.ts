/** Who pays for a call and what its models may see, from the bundle that the tenant has now and the one that is pinned. */
import type { Bundle, CompleteBody, RequestItem } from '@tutti/contracts';
import type { z } from 'zod';
import type { CallContext } from './complete.ts';

export function limitsOf(
  item: Omit<RequestItem, 'body'>,
  body: z.output<typeof CompleteBody>,
  current: Bundle | undefined,
  pinned: Bundle | undefined,
): CallContext['limits'] {
  return {
    budgets: current?.budgets,
    privacy: current?.privacy ?? pinned?.privacy,
    spender: {
      tenant: item.tenant,
      run: item.root ?? item.run,
      session: item.session,
      key: body.principal,
      agent: body.agent,
    },
  };
}
