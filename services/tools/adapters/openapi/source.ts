/**
 * A tool source from an OpenAPI document, called over HTTP. Redirects are never followed, answers are read up to a limit,
 * and what `${NAME}` stands for appears in requests alone.
 */
import { type ToolSource as Manifest, TuttiError } from '@tutti/contracts';
import type { Placeholders } from '../../core/placeholders.ts';
import { ToolCallError, type ToolCallOptions, type ToolResult, type ToolSource } from '../../ports/tool-source.ts';
import { type Outbound, OutboundRefused, readText } from '../outbound/outbound.ts';
import { firstServer, type Operation, type Operations, readOperations } from './operations.ts';
import { isData } from './references.ts';
import { buildRequest, type HttpRequest, UnsendableArgument } from './request.ts';
import { type Answer, readAnswer } from './response.ts';
import { type Credentials, readSecuritySchemes } from './security.ts';

/** Failures of connecting: nothing was sent. */
const NOT_SENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'UND_ERR_CONNECT_TIMEOUT']);
/** Ports of other protocols (Fetch Standard, "bad port"), refused before connecting. */
const BLOCKED_PORT = 'bad port';

export interface OpenApiOptions {
  manifest: Extract<Manifest, { type: 'openapi' }>;
  placeholders: Placeholders;
  outbound: Outbound;
  responseBytesMax: number;
}

export function createOpenApiSource({
  manifest,
  placeholders,
  outbound,
  responseBytesMax,
}: OpenApiOptions): ToolSource {
  let read: Operations | undefined;
  const operations = (): Operations => {
    const own = [manifest.idempotencyHeader, ...Object.keys(manifest.headers)].map((name) => name.toLowerCase());
    read ??= readOperations(manifest.document, own);
    return read;
  };

  const security = readSecuritySchemes(manifest.document, manifest.auth ?? {}, placeholders);

  function base(operation?: Operation): URL {
    const template = manifest.url ?? serverOf(manifest, operation);
    const filled = placeholders.fillAddress(template);
    if (!URL.canParse(filled) || !/^https?:$/.test(new URL(filled).protocol))
      throw new TuttiError('bundle_invalid', 'the URL of the source is no absolute http or https URL');
    const url = new URL(filled);
    if (url.username || url.password)
      throw new TuttiError('bundle_invalid', 'the URL of the source holds a user or password; use `headers`');
    return url;
  }

  function headersOf(request: HttpRequest, credentials: Credentials, idempotencyKey: string | undefined): Headers {
    try {
      const headers = new Headers({ accept: 'application/json, text/*;q=0.8, */*;q=0.1' });
      for (const [name, value] of request.headers) headers.set(name, value);
      for (const [name, value] of credentials.headers) headers.set(name, value);
      const cookies = credentials.cookies.map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
      if (cookies.length > 0) headers.set('cookie', cookies.join('; '));
      for (const [name, value] of Object.entries(manifest.headers)) headers.set(name, placeholders.fill(value));
      if (idempotencyKey !== undefined) headers.set(manifest.idempotencyHeader, idempotencyKey);
      return headers;
    } catch (error) {
      if (error instanceof TuttiError) throw error;
      // The original message would hold the value.
      throw new TuttiError('bundle_invalid', 'a header of the source has a name or a value that HTTP does not allow');
    }
  }

  async function call(name: string, args: Record<string, unknown>, options: ToolCallOptions): Promise<ToolResult> {
    const operation = operations().operations.get(name);
    if (!operation) throw new ToolCallError('no', `the document has no operation "${name}"`);
    let request: HttpRequest;
    try {
      request = buildRequest(base(operation), operation, args);
    } catch (error) {
      if (error instanceof UnsendableArgument) return { content: `Nothing was sent: ${error.message}.`, isError: true };
      throw error;
    }
    const credentials = security.of(operation.security);
    for (const [name, value] of credentials.query) request.url.searchParams.set(name, value);
    const headers = headersOf(request, credentials, options.idempotencyKey);
    const answer = await send(request, headers, options);
    return readAnswer({ ...answer, text: placeholders.redact(answer.text) }, operation.tool.effect === 'pure');
  }

  async function send(request: HttpRequest, headers: Headers, options: ToolCallOptions): Promise<Answer> {
    const timeout = AbortSignal.timeout(options.timeoutMs);
    const signal = AbortSignal.any([options.signal, timeout]);
    try {
      const response = await outbound.fetch(request.url, {
        method: request.method,
        headers: [...headers],
        signal,
        // A kept connection may be closed by the server at the very moment that a call goes out on it, and then nobody
        // knows whether the call arrived. A repeat mends that for pure calls; the others get a connection of their own.
        fresh: options.idempotencyKey !== undefined,
        ...(request.body === undefined ? {} : { body: request.body }),
      });
      const { text, cut } = await readText(response, responseBytesMax);
      return {
        status: response.status,
        type: response.headers.get('content-type') ?? '',
        retryAfter: response.headers.get('retry-after'),
        text,
        cut,
      };
    } catch (error) {
      throw failureOf(error, timeout.aborted ? options.timeoutMs : undefined);
    }
  }

  return {
    isStatic: true,
    async list() {
      base();
      for (const value of Object.values({ ...manifest.headers, ...manifest.auth })) placeholders.fill(value);
      const { operations: found, problems } = operations();
      const tools = [...found.values()].map((operation) => operation.tool);
      return { tools, problems: [...security.problems, ...problems] };
    },
    call,
    close: () => outbound.close(),
  };
}

/** A relative address is one beside the document. */
function serverOf(manifest: OpenApiOptions['manifest'], operation: Operation | undefined): string {
  const server = operation?.server ?? firstServer(manifest.document) ?? (manifest.origin && { url: '/' });
  if (!isData(server) || typeof server.url !== 'string')
    throw new TuttiError('bundle_invalid', 'the document names no server: set `url`');
  const variables = isData(server.variables) ? server.variables : {};
  const url = server.url.replace(/\{([^}]+)\}/g, (all, name: string) => {
    const given = manifest.serverVariables?.[name];
    const variable = variables[name];
    return given ?? (isData(variable) && typeof variable.default === 'string' ? variable.default : all);
  });
  const isRelative = manifest.origin && !URL.canParse(url) && !url.startsWith('${');
  return isRelative && URL.canParse(url, manifest.origin!.url) ? new URL(url, manifest.origin!.url).href : url;
}

function failureOf(error: unknown, timedOutAfterMs: number | undefined): ToolCallError {
  if (timedOutAfterMs !== undefined)
    return new ToolCallError('maybe', `the server did not answer within ${timedOutAfterMs} ms`, { code: 'timeout' });
  if (error instanceof OutboundRefused) return new ToolCallError('no', error.message);
  const cause = (error as Error).cause as { code?: string; message?: string } | undefined;
  if (cause?.message === BLOCKED_PORT) return new ToolCallError('no', 'fetch does not allow the port of the server');
  if (cause instanceof OutboundRefused) return new ToolCallError('no', cause.message);
  const code = cause?.code ?? (error as Error).name;
  if (NOT_SENT.has(code)) return new ToolCallError('no', `the server cannot be reached (${code})`);
  return new ToolCallError('maybe', `the connection failed (${code})`);
}
