/**
 * A message of the document log as a change of the index. The subject says whose document it is; the body may only
 * agree. Invariant: what cannot be read is a removal with a reason, so that all replicas hold the same documents
 * whether or not they saw the version before.
 */
import { describeZodError, KnowledgeDocument, Name } from '@tutti/contracts';

export interface DocumentName {
  tenant: string;
  collection: string;
  id: string;
}
export type Change =
  | { kind: 'put'; name: DocumentName; document: KnowledgeDocument }
  | { kind: 'remove'; name: DocumentName }
  | { kind: 'refuse'; name: DocumentName | undefined; reason: string };

const DocumentId = KnowledgeDocument.shape.id;

export function parseSubject(subject: string): DocumentName | undefined {
  const [tutti, kb, tenant, collection, id, ...rest] = subject.split('.');
  if (tutti !== 'tutti' || kb !== 'kb' || rest.length > 0) return undefined;
  const isNamed = Name.safeParse(tenant).success && Name.safeParse(collection).success;
  if (!isNamed || !DocumentId.safeParse(id).success) return undefined;
  return { tenant: tenant!, collection: collection!, id: id! };
}

export function toChange(subject: string, data: Uint8Array): Change {
  const name = parseSubject(subject);
  if (!name)
    return { kind: 'refuse', name, reason: `${subject} is not of the form tutti.kb.<tenant>.<collection>.<document>` };
  const refuse = (reason: string): Change => ({ kind: 'refuse', name, reason });
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(data));
  } catch (error) {
    return refuse(`not JSON in UTF-8: ${(error as Error).message}`);
  }
  const parsed = KnowledgeDocument.safeParse(json);
  if (!parsed.success) return refuse(`not a document: ${describeZodError(parsed.error)}`);
  const document = parsed.data;
  if (document.id !== name.id || document.collection !== name.collection)
    return refuse(`the body says ${document.collection}/${document.id}, the subject ${name.collection}/${name.id}`);
  return document.deleted ? { kind: 'remove', name } : { kind: 'put', name, document };
}
