/** `knowledge/<collection>/*.md|txt` → documents. A title comes from the front matter, else the first heading, else the file name. */
import { KnowledgeDocument, Name } from '@tutti/contracts';
import { parse } from 'yaml';
import type { BundleFiles } from './files.ts';
import type { Problems } from './problems.ts';

const FRONT_MATTER = /^---\r?\n([\s\S]*?)\r?\n---\r?\n?/;
const HEADING = /^#{1,6}\s+(.+?)\s*#*\s*$/m;

export function loadDocuments(
  files: BundleFiles,
  problems: Problems,
  uriPrefix: string,
): { collections: string[]; documents: KnowledgeDocument[] } {
  const collections: string[] = [];
  const documents: KnowledgeDocument[] = [];
  for (const collection of files.folders('knowledge')) {
    const folder = `knowledge/${collection}`;
    const name = Name.safeParse(collection);
    if (!name.success) {
      problems.add(folder, `the folder's name ${name.error.issues[0]?.message}`);
      continue;
    }
    collections.push(collection);
    documents.push(...loadCollection(files, problems, collection, uriPrefix));
  }
  return { collections, documents };
}

function loadCollection(
  files: BundleFiles,
  problems: Problems,
  collection: string,
  uriPrefix: string,
): KnowledgeDocument[] {
  const folder = `knowledge/${collection}`;
  const byId = new Map<string, KnowledgeDocument>();
  for (const name of files.list(folder, ['.md', '.txt'])) {
    const file = `${folder}/${name}`;
    const text = files.text(file);
    if (text === undefined) continue;
    const document = parseDocument(name, text, collection, `${uriPrefix}${file}`, (message) =>
      problems.add(file, message),
    );
    if (!document) continue;
    if (byId.has(document.id)) problems.add(file, `there are two documents "${document.id}" in this collection`);
    byId.set(document.id, document);
  }
  return [...byId.values()];
}

/** `uri`: where it came from. Undefined: reported. */
export function parseDocument(
  fileName: string,
  text: string,
  collection: string,
  uri: string,
  report: (message: string) => void,
): KnowledgeDocument | undefined {
  const id = fileName.replace(/\.(md|txt)$/, '');
  const front = frontMatterOf(text, report);
  const body = text.replace(FRONT_MATTER, '');
  if (!body.trim()) return void report('is empty');
  const title = String(front.title ?? HEADING.exec(body)?.[1] ?? id);
  const parsed = KnowledgeDocument.safeParse({ id, collection, title, text: body, uri });
  if (parsed.success) return parsed.data;
  for (const issue of parsed.error.issues) {
    const field = issue.path.join('.');
    report(
      field === 'id'
        ? `the file's name, which is the document's id, must be letters, digits, "_" and "-": "${id}"`
        : `${field}: ${issue.message}`,
    );
  }
  return undefined;
}

function frontMatterOf(text: string, report: (message: string) => void): { title?: unknown } {
  const front = FRONT_MATTER.exec(text)?.[1];
  if (front === undefined) return {};
  try {
    return (parse(front) as { title?: unknown } | null) ?? {};
  } catch (error) {
    report(`front matter: ${(error as Error).message.split('\n')[0]}`);
    return {};
  }
}
