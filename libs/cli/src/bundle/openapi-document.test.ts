/** What a bundle keeps of an OpenAPI document, on real ones. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { neededPart } from './openapi-document.ts';
import { readBundle } from './remote-documents.ts';

const STAR_TREK = createRequire(import.meta.url).resolve('@readme/oas-examples/3.0/json/star-trek.json');
const document = JSON.parse(readFileSync(STAR_TREK, 'utf8')) as Record<string, unknown>;

describe('the needed part of a document', () => {
  it('holds the operations that are taken and all they refer to', () => {
    const part = neededPart(document, { allow: ['get_*', 'post_*'], deny: ['get_animal'] });
    const text = JSON.stringify(part);
    expect(text.length).toBeLessThan(JSON.stringify(document).length);
    expect(Object.keys(part.paths as object).length).toBeGreaterThan(50);
    expect(Object.keys((part.paths as Record<string, object>)['/animal'] ?? {})).not.toContain('get');
    const references = [...text.matchAll(/"\$ref":"#\/([^"]+)"/g)].map((match) => match[1]!.split('/'));
    expect(references.length).toBeGreaterThan(50);
    for (const keys of references) expect(part, keys.join('/')).toHaveProperty(keys);
  });
  it('keeps a probe and an undo that are not taken themselves, and circles of references', () => {
    const circular = {
      openapi: '3.1.0',
      info: { title: 't', version: '1', description: 'long' },
      security: [{ key: [] }],
      tags: [{ name: 'x' }],
      paths: {
        '/a': { post: { operationId: 'make', requestBody: { $ref: '#/components/requestBodies/Node' } } },
        '/b': { parameters: [{ $ref: '#/components/parameters/P' }], get: { operationId: 'find' } },
        '/c': { get: { operationId: 'other' }, 'x-more': 1 },
      },
      components: {
        parameters: { P: { name: 'p', in: 'query' } },
        requestBodies: { Node: { content: { 'application/json': { schema: { $ref: '#/components/schemas/Node' } } } } },
        schemas: { Node: { properties: { next: { $ref: '#/components/schemas/Node' } } }, Unused: {} },
        securitySchemes: { key: { type: 'apiKey' } },
      },
    };
    const tools = { make: { probe: { tool: 'find', arguments: {}, foundAt: '$' }, tags: [] } };
    expect(neededPart(circular, { allow: ['make'], tools })).toEqual({
      openapi: '3.1.0',
      info: { title: 't', version: '1' },
      security: [{ key: [] }],
      paths: { '/a': circular.paths['/a'], '/b': circular.paths['/b'] },
      components: { ...circular.components, schemas: { Node: circular.components.schemas.Node } },
    });
  });
});

describe('a document behind a URL', () => {
  const folder = (source: string) => {
    const dir = mkdtempSync(join(tmpdir(), 'tutti-bundle-'));
    const files = { 'tutti.yaml': 'name: t\n', 'agents/a.yaml': 'instructions: x\n', 'tools/api.yaml': source };
    for (const [file, text] of Object.entries(files)) {
      mkdirSync(dirname(join(dir, file)), { recursive: true });
      writeFileSync(join(dir, file), text);
    }
    return dir;
  };
  it('is read when the bundle is read, and is in it then', async () => {
    const server = createServer((request, response) => {
      if (request.url !== '/openapi.yaml') return void response.writeHead(404).end();
      response.end('openapi: 3.1.0\npaths:\n  /x: { get: { operationId: getX } }\n');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const dir = folder(`type: openapi\ndocument: ${base}/openapi.yaml\n`);
    const { bundle } = await readBundle(dir);
    expect(bundle.tools.api).toMatchObject({
      document: { openapi: '3.1.0', paths: { '/x': { get: { operationId: 'getX' } } } },
      origin: { url: `${base}/openapi.yaml`, hash: expect.stringMatching(/^[0-9a-f]{64}$/) },
    });
    const gone = folder(`type: openapi\ndocument: ${base}/gone.yaml\n`);
    await expect(readBundle(gone)).rejects.toThrow(`"${base}/gone.yaml" answers HTTP 404`);
    server.close();
    for (const path of [dir, gone]) rmSync(path, { recursive: true });
    expect(existsSync(dir)).toBe(false);
  });
  it('that nobody answers is a mistake of the bundle', async () => {
    const dir = folder('type: openapi\ndocument: http://127.0.0.1:1/openapi.json\n');
    await expect(readBundle(dir)).rejects.toThrow('tools/api.yaml: document: "http://127.0.0.1:1/openapi.json" cannot');
    rmSync(dir, { recursive: true });
  });
});
