/**
 * Looks into a policy's conditions (Cedar's JSON form) for what the validator lets through. Cedar skips a policy that
 * errors while it is evaluated, a `forbid` included, so every expression that could error must be refused on load:
 * arithmetic (overflow), attributes of an entity named literally (it need not exist), and date arithmetic.
 */
const ARITHMETIC = new Set(['+', '-', '*', 'neg']);
const EXTENSIONS_THAT_ERROR = new Set(['offset', 'durationSince', 'toDate']);

type Node = Record<string, unknown>;

/** The first thing in the policy that could error, in words; undefined when there is none. */
export function findPossibleError(expression: unknown): string | undefined {
  let found: string | undefined;
  visit(expression, (operator, operand) => {
    if (ARITHMETIC.has(operator)) found ??= `"${operator === 'neg' ? '-' : operator}" can overflow`;
    if (EXTENSIONS_THAT_ERROR.has(operator)) found ??= `${operator}() can overflow`;
    if ((operator === '.' || operator === 'getTag') && !isRootedInVariable((operand as { left: unknown }).left))
      found ??= 'an attribute is read from something other than principal, resource or context';
  });
  return found;
}

/** Does any condition look at `context.<attribute>`? */
export function readsContext(expression: unknown, attribute: string): boolean {
  let reads = false;
  visit(expression, (operator, operand) => {
    const access = operand as { left?: { Var?: string }; attr?: unknown };
    if (operator === '.' && access.left?.Var === 'context' && access.attr === attribute) reads = true;
  });
  return reads;
}

function isRootedInVariable(node: unknown): boolean {
  const at = node as Node;
  if ('Var' in at) return true;
  return '.' in at && isRootedInVariable((at['.'] as { left: unknown }).left);
}

function visit(node: unknown, seen: (operator: string, operand: unknown) => void): void {
  if (Array.isArray(node)) {
    for (const item of node) visit(item, seen);
    return;
  }
  if (node === null || typeof node !== 'object') return;
  for (const [operator, operand] of Object.entries(node)) {
    if (operator === 'Value') continue;
    seen(operator, operand);
    visit(operand, seen);
  }
}
