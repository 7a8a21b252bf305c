/**
 * The kill switch: what is stopped, as it stands in the bucket `tutti_switches`, one key a thing. Whatever it stops is
 * refused from then on, everywhere: a tool's calls; an agent's new runs, model calls and tool calls; a tenant's; everything.
 */
import { z } from 'zod';
import { Name } from './ids.ts';

export const SwitchTarget = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('tool'), tenant: Name, name: z.string().regex(/^[a-zA-Z0-9_-]{1,64}$/) }),
  z.object({ kind: z.literal('agent'), tenant: Name, name: Name }),
  z.object({ kind: z.literal('tenant'), tenant: Name }),
  z.object({ kind: z.literal('all') }),
]);
export type SwitchTarget = z.infer<typeof SwitchTarget>;

/** Decisions that one switch remembers, the last one included. */
export const SWITCH_DECISIONS_MAX = 50;
export const SwitchDecision = z.object({ stopped: z.boolean(), by: z.string(), at: z.number(), reason: z.string() });
export type SwitchDecision = z.infer<typeof SwitchDecision>;

/** `decisions`: newest first; the first one holds. */
export const SwitchState = z.object({
  v: z.literal(1),
  target: SwitchTarget,
  decisions: z.array(SwitchDecision).min(1).max(SWITCH_DECISIONS_MAX),
});
export type SwitchState = z.infer<typeof SwitchState>;

export function switchKey(target: SwitchTarget): string {
  switch (target.kind) {
    case 'all':
      return 'all';
    case 'tenant':
      return `tenant.${target.tenant}`;
    case 'agent':
    case 'tool':
      return `${target.kind}.${target.tenant}.${target.name}`;
    default:
      throw new Error(`unknown target ${(target satisfies never as SwitchTarget).kind}`);
  }
}

export function nameOfTarget(target: SwitchTarget): string {
  if (target.kind === 'all') return 'everything';
  return target.kind === 'tenant' ? `the tenant "${target.tenant}"` : `the ${target.kind} "${target.name}"`;
}
