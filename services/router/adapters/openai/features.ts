/**
 * What an endpoint turned out not to take. OpenAI-compatible servers differ in which parameters they know; one that is
 * refused with a 400 that names it is left out from then on, in place of a list of servers.
 */
export type Feature =
  | 'json_schema'
  | 'json_object'
  | 'temperature'
  | 'stream_options'
  | 'max_completion_tokens'
  | 'max_tokens'
  | 'tool_choice';

const REFUSALS: { feature: Feature; pattern: RegExp }[] = [
  { feature: 'json_schema', pattern: /response_format|json_schema|structured|grammar/i },
  { feature: 'json_object', pattern: /response_format|json_object|json mode/i },
  { feature: 'temperature', pattern: /temperature/i },
  { feature: 'stream_options', pattern: /stream_options|include_usage/i },
  { feature: 'max_completion_tokens', pattern: /max_completion_tokens/i },
  { feature: 'max_tokens', pattern: /max_tokens/i },
  { feature: 'tool_choice', pattern: /tool_choice/i },
];
const REFUSED_STATUSES = new Set([400, 404, 415, 422, 501]);

/** The feature, among those that were used, that this refusal is about. */
export function refusedFeature(
  status: number | undefined,
  message: string,
  used: ReadonlySet<Feature>,
): Feature | undefined {
  if (status === undefined || !REFUSED_STATUSES.has(status)) return undefined;
  return REFUSALS.find(({ feature, pattern }) => used.has(feature) && pattern.test(message))?.feature;
}
