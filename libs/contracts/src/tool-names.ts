/** How tools are named and chosen, the same when a bundle is applied and when it is used. Pure. */

/** An operation of an OpenAPI document: its id, else its method and path in words. */
export function operationName(operation: { operationId?: unknown }, method: string, path: string): string {
  if (typeof operation.operationId === 'string' && operation.operationId) return operation.operationId;
  return `${method}_${path.replace(/[^a-zA-Z0-9]+/g, '_').replace(/^_|_$/g, '')}`;
}

/** Does a name fit one of the patterns? `*` at the end stands for any rest. */
export function fitsAny(name: string, patterns: string[]): boolean {
  return patterns.some((pattern) => (pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern));
}

/** `allow` and `deny` of a tool source. */
export function isTaken(
  { allow, deny }: { allow?: string[] | undefined; deny?: string[] | undefined },
  name: string,
): boolean {
  return (allow === undefined || fitsAny(name, allow)) && !(deny !== undefined && fitsAny(name, deny));
}
