/**
 * Which data a call carries, in the words that providers are cleared by: what the agent and the request say, and what is
 * confidential of all that the model would be told. `internal` alone asks for no clearance, or no provider could be told
 * anything without one; an agent that wants it says so (`dataLabels: [internal]`), and policies can look at it.
 */
import { type Label, mayFlow } from '@tutti/contracts';

const NONE: readonly string[] = [];

/** Each once. */
export function dataLabelsOf(
  ofAgent: readonly string[] = NONE,
  ofRequest: readonly string[] = NONE,
  label?: Label | undefined,
): readonly string[] {
  const confidential = label?.confidentiality.filter((name) => name !== 'internal') ?? NONE;
  if (ofAgent.length + ofRequest.length + confidential.length === 0) return NONE;
  return [...new Set([...ofAgent, ...ofRequest, ...confidential])];
}

/** What a provider lacks the clearance for; who may see what is secret may see what is internal. */
export function unclearedOf(labels: readonly string[] = NONE, cleared: readonly string[]): string[] {
  return labels.filter((name) => !mayFlow([name], [...cleared]));
}
