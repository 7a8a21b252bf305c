/**
 * One download over http(s) into a file. Bounded in time (connect, silence, whole), size and redirects; never follows from
 * https to http. Honours HTTPS_PROXY and NO_PROXY of the given environment. The file is checked by the caller, by its sha256.
 */
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { pipeline } from 'node:stream/promises';
import { FETCH_LIMITS } from './limits.ts';
import type { Environment } from './pinned.ts';

export interface DownloadOptions {
  env: Environment;
  bytesMax: number;
  /** Called every now and then with what has come so far; `bytesTotal` is undefined when the server does not say. */
  onProgress?: (bytes: number, bytesTotal: number | undefined) => void;
  connectTimeoutMs?: number;
  stallTimeoutMs?: number;
}

/** Resolves to the file's sha256 (hex) and size. Rejects with an Error whose message is fit for the user. */
export async function downloadFile(
  url: string,
  path: string,
  options: DownloadOptions,
): Promise<{ sha256: string; bytes: number }> {
  const controller = new AbortController();
  const timer = setTimeout(
    () => controller.abort(new Error(`not finished within ${FETCH_LIMITS.downloadTimeoutMs / 1000} s`)),
    FETCH_LIMITS.downloadTimeoutMs,
  );
  try {
    const response = await get(new URL(url), options, controller.signal, 0);
    return await store(response, path, options, controller.signal);
  } catch (error) {
    throw new Error(`${url}: ${describe(controller.signal.aborted ? controller.signal.reason : error)}`, {
      cause: error,
    });
  } finally {
    clearTimeout(timer);
  }
}

async function get(
  url: URL,
  options: DownloadOptions,
  signal: AbortSignal,
  redirects: number,
): Promise<http.IncomingMessage> {
  const response = await request(url, options, signal);
  const status = response.statusCode ?? 0;
  if (status === 200) return response;
  response.destroy();
  const location = response.headers.location;
  if (status < 300 || status > 399 || !location) throw new Error(`HTTP ${status}`);
  if (redirects >= FETCH_LIMITS.redirectsMax) throw new Error(`more than ${FETCH_LIMITS.redirectsMax} redirects`);
  const next = new URL(location, url);
  if (url.protocol === 'https:' && next.protocol !== 'https:')
    throw new Error(`redirected from https to ${next.protocol}`);
  return get(next, options, signal, redirects + 1);
}

function request(url: URL, options: DownloadOptions, signal: AbortSignal): Promise<http.IncomingMessage> {
  const client = url.protocol === 'https:' ? https : http;
  const connectTimeoutMs = options.connectTimeoutMs ?? FETCH_LIMITS.connectTimeoutMs;
  return new Promise((resolve, reject) => {
    // The agent's own timeout is what ends the wait for a proxy's tunnel; the timer is what ends our wait, whatever happens there.
    const agent = new client.Agent({ proxyEnv: options.env as NodeJS.ProcessEnv, timeout: connectTimeoutMs });
    const outgoing = client.get(url, { agent, signal, headers: { 'user-agent': 'tutti' } });
    const giveUp = () => {
      const error = new Error(`no answer within ${connectTimeoutMs / 1000} s`);
      reject(error);
      outgoing.destroy(error);
      agent.destroy();
    };
    const timer = setTimeout(giveUp, connectTimeoutMs);
    outgoing.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    outgoing.on('response', (response) => {
      clearTimeout(timer);
      resolve(response);
    });
  });
}

async function store(
  response: http.IncomingMessage,
  path: string,
  options: DownloadOptions,
  signal: AbortSignal,
): Promise<{ sha256: string; bytes: number }> {
  const announced = response.headers['content-length'];
  const bytesTotal = announced === undefined ? undefined : Number(announced);
  const stallTimeoutMs = options.stallTimeoutMs ?? FETCH_LIMITS.stallTimeoutMs;
  const hash = createHash('sha256');
  let bytes = 0;
  response.setTimeout(stallTimeoutMs, () => response.destroy(new Error(`no data for ${stallTimeoutMs / 1000} s`)));
  async function* watched(): AsyncGenerator<Buffer> {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > options.bytesMax) throw new Error(`larger than ${options.bytesMax} bytes`);
      hash.update(chunk);
      options.onProgress?.(bytes, bytesTotal);
      yield chunk;
    }
  }
  await pipeline(watched, createWriteStream(path, { flush: true }), { signal });
  if (bytesTotal !== undefined && bytes !== bytesTotal)
    throw new Error(`cut off after ${bytes} of ${bytesTotal} bytes`);
  return { sha256: hash.digest('hex'), bytes };
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = (error as NodeJS.ErrnoException).code;
  if (error instanceof AggregateError || !error.message) return code ?? 'the connection failed';
  return code === 'ECONNRESET' && error.message === 'aborted' ? 'the connection was cut off' : error.message;
}
