/**
 * What the policies of a set can depend on, found in their JSON form. What none of them looks at cannot change a decision:
 * it is left out of the question, so that questions which differ in nothing else are one question, answered once.
 */
import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs';

export interface Interests {
  /** Attributes of `context` that are looked at; `*`: the context as a whole. */
  context: Set<string>;
  /** Entity types of which one is named; `*`: principal or resource is compared with something. */
  named: Set<string>;
}

export function interestsOf({ principal, resource, conditions }: PolicyJson): Interests {
  const found: Interests = { context: new Set(), named: new Set() };
  lookInto(principal, found);
  lookInto(resource, found);
  lookInto(conditions, found);
  return found;
}

export function joinInterests(all: Iterable<Interests>): Interests {
  const joined: Interests = { context: new Set(), named: new Set() };
  for (const { context, named } of all) {
    for (const name of context) joined.context.add(name);
    for (const type of named) joined.named.add(type);
  }
  return joined;
}

export function looksAt(context: Set<string>, attribute: string): boolean {
  return context.has('*') || context.has(attribute);
}

export function names(named: Set<string>, type: string): boolean {
  return named.has('*') || named.has(type);
}

function lookInto(node: unknown, found: Interests): void {
  if (Array.isArray(node)) {
    for (const item of node) lookInto(item, found);
    return;
  }
  if (node === null || typeof node !== 'object') return;
  const entity = entityIn(node);
  if (entity !== undefined) found.named.add(entity);
  for (const [operator, operand] of Object.entries(node)) {
    const read = variableRead(operator, operand);
    if (read) {
      if (read.variable === 'context') found.context.add(read.attribute);
    } else if (operator === 'Var') {
      if (operand === 'context') found.context.add('*');
      else if (operand !== 'action') found.named.add('*');
    } else lookInto(operand, found);
  }
}

/** `{"type": "Tool", "id": "x"}`, in a scope or as a value. */
function entityIn(node: object): string | undefined {
  const { type, id } = node as { type?: unknown; id?: unknown };
  return typeof type === 'string' && typeof id === 'string' ? type : undefined;
}

/** `context.x`, `principal has x`, `resource is T`: of the variable nothing but this is looked at. */
function variableRead(operator: string, operand: unknown): { variable: string; attribute: string } | undefined {
  if (operator !== '.' && operator !== 'has' && operator !== 'is') return undefined;
  const { left, attr, in: within } = operand as { left?: { Var?: string }; attr?: unknown; in?: unknown };
  const variable = left?.Var;
  if (variable === undefined || within !== undefined) return undefined;
  return { variable, attribute: typeof attr === 'string' ? attr : '*' };
}
