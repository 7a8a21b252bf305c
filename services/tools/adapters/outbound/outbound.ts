/**
 * HTTP to the outside. Invariants: a connection goes only to an address that was checked (literals before connecting, names
 * in the very lookup that the connection uses, and the socket's own word once it stands), so neither a redirect nor a
 * name that resolves to something else a moment later leads into a private network; redirects are never followed here; a
 * body is read up to a limit.
 */
import { type LookupAddress, type LookupOptions, lookup as lookUpInDns } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { Agent, buildConnector, fetch, type RequestInit, type Response } from 'undici';
import { notPublicBecause, plainAddress } from './addresses.ts';
import type { Grants } from './grants.ts';

const CONNECT_TIMEOUT_MS = 10_000;
const HEADERS_BYTES_MAX = 64 * 1_024;

/** Refused before anything was sent. */
export class OutboundRefused extends Error {
  override name = 'OutboundRefused';
  readonly code = 'OUTBOUND_REFUSED';
}

export interface Outbound {
  /** `fresh`: on a connection of its own, which nobody can be closing just now. Redirects come back as they are. */
  fetch(url: URL, init?: RequestInit & { fresh?: boolean }): Promise<Response>;
  close(): Promise<void>;
}

/** `resolve`: as `dns.lookup`; tests put their own in its place. */
export function createOutbound(grants: Grants, resolve: typeof lookUpInDns = lookUpInDns): Outbound {
  const connect = guardedConnector(grants, resolve);
  const limits = { connect, maxHeaderSize: HEADERS_BYTES_MAX };
  const kept = new Agent(limits);
  const fresh = new Agent({ ...limits, pipelining: 0 });
  return {
    async fetch(url, { fresh: alone, ...init } = {}) {
      if (url.protocol !== 'http:' && url.protocol !== 'https:')
        throw new OutboundRefused(`only http and https are allowed, not ${url.protocol}`);
      if (url.username || url.password) throw new OutboundRefused('the URL holds a user or password');
      return fetch(url, { ...init, redirect: 'manual', dispatcher: alone ? fresh : kept });
    },
    async close() {
      await Promise.all([kept.destroy(), fresh.destroy()]);
    },
  };
}

function guardedConnector(grants: Grants, resolve: typeof lookUpInDns): buildConnector.connector {
  const ports = new Map<string, buildConnector.connector>();
  /** What a lookup may find depends on the port, which a lookup is not told: so one connector a port. */
  function connectorOf(port: number): buildConnector.connector {
    let connector = ports.get(String(port));
    if (!connector) {
      connector = buildConnector({
        timeout: CONNECT_TIMEOUT_MS,
        allowH2: false,
        lookup: guardedLookup(grants, port, resolve),
      } as buildConnector.BuildOptions);
      if (ports.size >= PORTS_MAX) ports.clear();
      ports.set(String(port), connector);
    }
    return connector;
  }
  return (options, callback) => {
    const port = Number(options.port) || (options.protocol === 'https:' ? 443 : 80);
    const host = options.hostname.replace(/^\[|\]$/g, '');
    const refused = isIP(host) ? refusal(grants, host, host, port) : undefined;
    if (refused) return callback(refused, null);
    connectorOf(port)(options, (error, socket) => {
      if (error || !socket) return callback(error ?? new Error('no socket'), null);
      const { remoteAddress } = socket;
      const late = remoteAddress === undefined ? undefined : refusal(grants, host, remoteAddress, port);
      if (!late) return callback(null, socket);
      socket.destroy();
      callback(late, null);
    });
  };
}
const PORTS_MAX = 256;

/** Every address of the name has to be allowed: one that is not says that something is wrong with the name. */
function guardedLookup(grants: Grants, port: number, resolve: typeof lookUpInDns): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...(options as LookupOptions), all: true }, (error, found) => {
      if (error) return callback(error, []);
      const addresses = found as LookupAddress[];
      for (const { address } of addresses) {
        const refused = refusal(grants, hostname, address, port);
        if (refused) return callback(refused, []);
      }
      if (options.all) return callback(null, addresses);
      const first = addresses[0];
      if (!first) return callback(Object.assign(new Error('no address'), { code: 'ENOTFOUND' }), []);
      callback(null, first.address, first.family);
    });
  };
}

function refusal(grants: Grants, host: string, address: string, port: number): OutboundRefused | undefined {
  const kind = notPublicBecause(plainAddress(address));
  if (kind === undefined || grants.allows(host, address, port)) return undefined;
  return new OutboundRefused(
    `the address is not on the public internet (${kind}); whoever runs Tutti can allow it in TUTTI_TOOLS_PRIVATE_NETWORKS`,
  );
}

/** At most `bytesMax` bytes as text; what is left is not read, and the connection is given up. */
export async function readText(response: Response, bytesMax: number): Promise<{ text: string; cut: boolean }> {
  if (!response.body) return { text: '', cut: false };
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body) {
    chunks.push(chunk);
    size += chunk.byteLength;
    // Leaving the loop cancels the body.
    if (size > bytesMax) break;
  }
  const bytes = Buffer.concat(chunks);
  return { text: bytes.subarray(0, bytesMax).toString('utf8'), cut: size > bytesMax };
}
