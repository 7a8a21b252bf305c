/**
 * Arithmetic by mathjs, of which only a list of node types, functions and constants is let through: no assignment, no
 * property access, no strings, no matrices to fill memory with. Every function on the list takes constant time.
 */
import { all, create, type MathNode } from 'mathjs';
import type { SourceTool, ToolResult } from '../../ports/tool-source.ts';

const EXPRESSION_CHARS_MAX = 500;
const NODES_MAX = 200;
const DIGITS = 14;
const NODE_TYPES = new Set([
  'ConstantNode',
  'OperatorNode',
  'ParenthesisNode',
  'FunctionNode',
  'SymbolNode',
  'ConditionalNode',
  'RelationalNode',
]);
const CONSTANTS = ['pi', 'e', 'tau'];
const FUNCTIONS = (
  'abs ceil floor round fix sign sqrt cbrt square cube nthRoot exp log log2 log10 log1p pow mod hypot ' +
  'min max sum mean median std variance factorial gcd lcm sin cos tan asin acos atan atan2 sinh cosh tanh'
).split(' ');
const OPERATORS = new Set(
  'add subtract multiply divide pow mod unaryMinus unaryPlus factorial smaller smallerEq larger largerEq equal unequal and or not xor'.split(
    ' ',
  ),
);
const math = create(all!, { number: 'number' });

export const calculatorTool: SourceTool = {
  name: 'calculator',
  description:
    'Computes an arithmetic expression exactly: use it for every sum, difference, product, percentage or average ' +
    `instead of computing in your head. Operators + - * / ^ % and comparisons, parentheses; functions ${FUNCTIONS.join(', ')}; ` +
    'constants pi, e, tau. Numbers are written with a decimal point and without thousands separators or units. ' +
    'Example: "(1249.50 + 3 * 189) * 1.19".',
  parameters: {
    type: 'object',
    additionalProperties: false,
    required: ['expression'],
    properties: {
      expression: {
        type: 'string',
        minLength: 1,
        maxLength: EXPRESSION_CHARS_MAX,
        description: 'The expression to compute.',
        examples: ['412 + 3 * 189', 'mean(12, 15, 21)'],
      },
    },
  },
  returns: {
    type: 'object',
    required: ['expression', 'result'],
    properties: {
      expression: { type: 'string', description: 'The expression as it was read.' },
      result: { type: 'number', description: 'The value of the expression.' },
    },
  },
  effect: 'pure',
};

export function calculate(args: Record<string, unknown>): ToolResult {
  const expression = String(args.expression);
  try {
    const tree = math.parse(expression);
    refuseForbidden(tree);
    const value: unknown = tree.evaluate();
    const result = typeof value === 'boolean' ? Number(value) : value;
    if (typeof result !== 'number' || !Number.isFinite(result)) throw new Error('the result is not a finite number');
    const data = { expression: tree.toString(), result: Number(result.toPrecision(DIGITS)) };
    return { content: JSON.stringify(data), isError: false, data };
  } catch (error) {
    return { content: `The expression cannot be computed: ${(error as Error).message}.`, isError: true };
  }
}

function refuseForbidden(tree: MathNode): void {
  let nodes = 0;
  const functionNames = new Set<unknown>();
  tree.traverse((node, path, parent) => {
    nodes += 1;
    if (nodes > NODES_MAX) throw new Error(`it has more than ${NODES_MAX} parts`);
    if (!NODE_TYPES.has(node.type)) throw new Error(`${node.type.replace(/Node$/, '').toLowerCase()}s are not allowed`);
    const name = (node as unknown as { name?: string }).name;
    if (node.type === 'FunctionNode') {
      if (!FUNCTIONS.includes(name ?? '')) throw new Error(`there is no function "${name}" here`);
      functionNames.add((node as unknown as { fn: unknown }).fn);
    }
    if (node.type === 'SymbolNode' && !(path === 'fn' && parent && functionNames.has(node)))
      if (!CONSTANTS.includes(name ?? '')) throw new Error(`"${name}" has no value; put numbers in its place`);
    if (node.type === 'OperatorNode' && !OPERATORS.has((node as unknown as { fn: string }).fn))
      throw new Error(`the operator "${(node as unknown as { op: string }).op}" is not allowed`);
    const value = (node as unknown as { value?: unknown }).value;
    if (node.type === 'ConstantNode' && typeof value !== 'number' && typeof value !== 'boolean')
      throw new Error('only numbers are allowed');
  });
}
