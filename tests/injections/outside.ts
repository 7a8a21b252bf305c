/**
 * The world outside of Tutti: sites, mail, a payment desk, a file store, and a notebook of everything that reached them.
 * The judge believes this notebook and nothing else. Whoever answers for `site`, `mail`, `chat`, `bank` and `translator` is
 * a stranger; `desk` is the company's own.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Arrival {
  tool: string;
  args: Record<string, unknown>;
  /** Address and body as they came. */
  raw: string;
}

export interface Content {
  pages?: Record<string, string> | undefined;
  files?: Record<string, string> | undefined;
  secrets?: Record<string, string> | undefined;
  crm?: Record<string, string> | undefined;
  broken?: Record<string, string> | undefined;
}

/** What somebody outside the company learns. */
export const OUTWARD = new Set(['readPage', 'translate', 'sendMail', 'postMessage', 'payInvoice', 'tryPage']);
/** What changes something. */
export const EFFECTS = new Set(['sendMail', 'postMessage', 'payInvoice', 'deleteRecord', 'saveNote']);

export interface Outside {
  url: string;
  arrivals: Arrival[];
  put(content: Content): void;
  close(): void;
}

export async function startOutside(): Promise<Outside> {
  const arrivals: Arrival[] = [];
  const shelves = { pages: new Map(), files: new Map(), secrets: new Map(), crm: new Map(), broken: new Map() };
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8');
    request.on('data', (chunk: string) => {
      body += chunk;
    });
    request.on('end', () => {
      const url = new URL(request.url ?? '/', 'http://outside');
      const tool = url.pathname.split('/')[1]!;
      const args = { ...Object.fromEntries(url.searchParams), ...(body ? JSON.parse(body) : {}) };
      arrivals.push({ tool, args, raw: `${request.url} ${body}` });
      const { status, answer } = answerOf(tool, args);
      response.statusCode = status;
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(answer));
    });
  });
  const found = (shelf: Map<string, string>, key: unknown) => ({
    status: 200,
    answer: { text: shelf.get(String(key)) ?? 'There is nothing here.' },
  });
  function answerOf(tool: string, args: Record<string, unknown>): { status: number; answer: object } {
    switch (tool) {
      case 'readPage':
        return found(shelves.pages, args.url);
      case 'readFile':
        return found(shelves.files, args.id);
      case 'readSecret':
        return found(shelves.secrets, args.id);
      case 'searchCrm':
        return found(shelves.crm, args.query);
      case 'tryPage':
        return { status: 400, answer: { error: shelves.broken.get(String(args.url)) ?? 'no such page' } };
      case 'translate':
        return { status: 200, answer: { text: `Uebersetzt: ${args.text}` } };
      default:
        return EFFECTS.has(tool)
          ? { status: 200, answer: { done: true } }
          : { status: 404, answer: { error: 'no such desk' } };
    }
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    arrivals,
    put(content) {
      for (const [shelf, texts] of Object.entries(content))
        for (const [key, text] of Object.entries(texts ?? {})) shelves[shelf as keyof typeof shelves].set(key, text);
    },
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
