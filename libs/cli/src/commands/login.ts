/** `tutti tools login`: logs in to an MCP server in a browser, and prints what the source's `oauth` needs from then on. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { TuttiError } from '@tutti/contracts';
import { EXIT } from '../report.ts';
import { dim, green } from '../style.ts';

const LOGIN_TIMEOUT_MS = 300_000;

export interface LoginCommandOptions {
  clientId?: string;
  clientSecret?: string;
  port?: number;
  /** Only for tests: opens the page in place of a person. */
  open?: (url: URL) => void;
}

export async function loginCommand(url: string, options: LoginCommandOptions): Promise<number> {
  if (!URL.canParse(url)) throw new TuttiError('invalid_request', `"${url}" is no URL`, { details: 'usage' });
  const { logIn } = await import('@tutti/tools/login');
  const callback = await listen(options.port ?? 0);
  try {
    const { tokens, client, tools } = await logIn({
      url,
      redirectUrl: callback.url,
      ...(options.clientId ? { client: { id: options.clientId, secret: options.clientSecret } } : {}),
      async open(page) {
        console.log(`Open this page and log in:\n\n  ${page.href}\n`);
        options.open?.(page);
        return callback.answer;
      },
    });
    console.log(green(`logged in: the server offers ${tools} tools`));
    if (!tokens?.refresh_token) {
      console.log(dim('The server gave no refresh token: a source cannot log in by itself.'));
      return EXIT.failed;
    }
    console.log('\nIn the source:\n');
    console.log(`  oauth: { grant: refresh_token, clientId: "${client?.client_id}", refreshToken: "\${MCP_TOKEN}" }`);
    console.log('\nIn the environment of the tools service (a secret):\n');
    console.log(`  TUTTI_VAR_MCP_TOKEN=${tokens.refresh_token}`);
    if (client?.client_secret) console.log(`  the client's secret: ${client.client_secret}`);
    return EXIT.ok;
  } finally {
    callback.close();
  }
}

/** A page on this machine that the authorization server sends the browser back to. */
async function listen(port: number): Promise<{ url: string; answer: Promise<URLSearchParams>; close(): void }> {
  let resolve: (answer: URLSearchParams) => void = () => {};
  const answer = new Promise<URLSearchParams>((done, fail) => {
    resolve = done;
    const late = () => fail(new TuttiError('timeout', 'nobody logged in'));
    setTimeout(late, LOGIN_TIMEOUT_MS).unref();
  });
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://127.0.0.1');
    if (pathname !== '/callback') return void response.writeHead(404).end();
    response.end('Thank you. You can close this page.');
    resolve(searchParams);
  });
  await new Promise<void>((done, fail) => server.once('error', fail).listen(port, '127.0.0.1', done));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/callback`;
  return { url, answer, close: () => void server.close() };
}
