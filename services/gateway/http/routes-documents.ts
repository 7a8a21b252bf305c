/** Documents of collections. Writing stores the document's newest version in the log that every retriever indexes from. */
import { randomUUID } from 'node:crypto';
import { KnowledgeDocument, Name, subjects } from '@tutti/contracts';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { appendSurely } from '../adapters/bus-inbound.ts';
import type { GatewayDeps } from './deps.ts';
import { notFound, parse } from './validate.ts';

export const PutDocument = z.strictObject({
  title: KnowledgeDocument.shape.title,
  text: KnowledgeDocument.shape.text.describe('Markdown or plain text.'),
  uri: z.string().optional(),
});
const Path = z.object({ collection: Name, id: KnowledgeDocument.shape.id });
const CollectionPath = Path.pick({ collection: true });
type CollectionParams = { Params: { collection: string } };
type DocumentParams = { Params: { collection: string; id: string } };

export function documentRoutes(app: FastifyInstance, deps: GatewayDeps): void {
  const { caller, config } = deps;
  const documentPath = '/v1/collections/:collection/documents/:id';

  async function store(tenant: string, document: KnowledgeDocument) {
    const subject = subjects.document(tenant, document.collection, document.id);
    const data = new TextEncoder().encode(JSON.stringify(document));
    // Not the content's hash: writing an older text again is a change, and has to be stored.
    const revision = await appendSurely(deps.bus, subject, data, randomUUID(), config);
    const { collection, id, deleted } = document;
    return { object: 'document', collection, id, revision, status: deleted ? 'deleted' : 'accepted' };
  }

  async function read(tenant: string, body: { collection: string; document?: string }) {
    return (await caller.call('documents', body, { tenant, timeoutMs: config.readTimeoutMs })).documents;
  }

  app.put<DocumentParams>(documentPath, async (request, reply) => {
    const path = parse(Path, request.params, 'path');
    const body = parse(PutDocument, request.body);
    reply.code(202);
    return store(request.identity.tenant, { ...path, ...body, deleted: false });
  });

  app.delete<DocumentParams>(documentPath, async (request, reply) => {
    const path = parse(Path, request.params, 'path');
    reply.code(202);
    return store(request.identity.tenant, { ...path, title: path.id, text: '', deleted: true });
  });

  app.get<DocumentParams>(documentPath, async (request) => {
    const { collection, id } = parse(Path, request.params, 'path');
    await deps.gate.knowledgeRead(request.identity, collection);
    const [document] = await read(request.identity.tenant, { collection, document: id });
    if (!document) throw notFound('document', id);
    return { object: 'document', ...document };
  });

  app.get<CollectionParams>('/v1/collections/:collection/documents', async (request) => {
    const { collection } = parse(CollectionPath, request.params, 'path');
    await deps.gate.knowledgeRead(request.identity, collection);
    return { object: 'list', data: await read(request.identity.tenant, { collection }) };
  });
}
