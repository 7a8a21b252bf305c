/** Documents as they are out there, taken without a change: GitHub-sized ones are in docs/openapi.md. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Bundle, type ToolSource as Manifest } from '@tutti/contracts';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { createPlaceholders } from '../../core/placeholders.ts';
import { createArgumentChecker } from '../arguments.ts';
import { NO_GRANTS } from '../outbound/grants.ts';
import { createOutbound } from '../outbound/outbound.ts';
import { readOperations } from './operations.ts';
import type { Data } from './references.ts';
import { createOpenApiSource } from './source.ts';

const find = createRequire(import.meta.url).resolve;
/** `left`: operations that cannot be tools, with the reason in their problem. */
const DOCUMENTS = [
  { name: 'Blockfrost (3.0, YAML)', file: find('@blockfrost/openapi/openapi.yaml'), operations: 127, left: 2 },
  { name: 'STAPI (3.0)', file: find('@readme/oas-examples/3.0/json/star-trek.json'), operations: 120, left: 0 },
  { name: 'ReadMe (3.1)', file: find('@readme/oas-examples/3.1/json/readme.json'), operations: 54, left: 0 },
  { name: 'circles (3.0)', file: find('@readme/oas-examples/3.0/json/schema-circular.json'), operations: 3, left: 0 },
  {
    name: 'circles in bodies',
    file: find('@readme/oas-examples/3.0/json/circular-request-bodies.json'),
    operations: 4,
    left: 0,
  },
  { name: 'oneOf and anyOf', file: find('@readme/oas-examples/3.0/json/polymorphism.json'), operations: 13, left: 0 },
  { name: 'discriminators', file: find('@readme/oas-examples/3.0/json/discriminators.json'), operations: 10, left: 0 },
];

describe('documents as they are', () => {
  it.each(DOCUMENTS)('$name', { timeout: 60_000 }, ({ file, operations, left }) => {
    const text = readFileSync(file, 'utf8');
    const document = (file.endsWith('.json') ? JSON.parse(text) : parse(text)) as Data;
    const read = readOperations(document, []);
    expect([read.operations.size, read.problems.length], read.problems.join('\n')).toEqual([operations, left]);
    const checker = createArgumentChecker();
    for (const { tool } of [...read.operations.values()].slice(0, SAMPLE_MAX)) {
      // Throws where a schema is none: a model could never call such a tool.
      checker.check(tool.name, tool.parameters, {});
      expect(JSON.stringify(tool.parameters)).not.toContain('"$ref":');
      if (tool.returns) checker.check(tool.name, tool.returns, {});
      expect(JSON.stringify(tool.returns ?? null)).not.toContain('"$ref":');
    }
  });
});
/** Compiling all schemas of a large document takes Ajv seconds. */
const SAMPLE_MAX = 40;

it('a source over a whole document lists it', async () => {
  const document = JSON.parse(readFileSync(DOCUMENTS[1]!.file, 'utf8')) as Data;
  const manifest = Bundle.shape.tools.parse({ api: { type: 'openapi', document } }).api as Extract<
    Manifest,
    { type: 'openapi' }
  >;
  const outbound = createOutbound(NO_GRANTS);
  const placeholders = createPlaceholders('api', {});
  const source = createOpenApiSource({ manifest, placeholders, outbound, responseBytesMax: 1_000 });
  const { tools } = await source.list(AbortSignal.timeout(1_000));
  expect(tools.length).toBe(120);
  expect(tools.find((tool) => tool.name === 'get_animal_search')?.description).toContain('Results come in pages');
  await source.close();
});
