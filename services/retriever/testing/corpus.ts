/** The documents and questions in fixtures/, and log records of them, for tests. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KnowledgeDocument } from '@tutti/contracts';
import { indexSettings, RetrieverConfig } from '../config.ts';
import type { LogRecord } from '../ports/index-engine.ts';

const fixtures = join(import.meta.dirname, '../fixtures');

export type TestDocument = Omit<KnowledgeDocument, 'deleted'>;
export interface Question {
  question: string;
  document: string;
  section: string;
}

export const collections = readdirSync(join(fixtures, 'corpus'));
export const corpus: TestDocument[] = collections.flatMap((collection) =>
  readdirSync(join(fixtures, 'corpus', collection)).map((file) => {
    const text = readFileSync(join(fixtures, 'corpus', collection, file), 'utf8');
    return { id: file.replace(/\.md$/, ''), collection, title: /^# (.*)/.exec(text)![1]!, text };
  }),
);
export const questions = JSON.parse(readFileSync(join(fixtures, 'questions.json'), 'utf8')) as Question[];

export const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
export const defaults = indexSettings(RetrieverConfig.parse({}));

export function record(tenant: string, document: TestDocument & { deleted?: boolean }, sequence: number): LogRecord {
  const subject = `tutti.kb.${tenant}.${document.collection}.${document.id}`;
  return { subject, data: encode(document), sequence, storedAt: 1_700_000_000_000 + sequence };
}

export function note(id: string, text: string, collection = 'notes'): TestDocument {
  return { id, collection, title: `Note ${id}`, text };
}
