/**
 * Who is asking. With keys: `Authorization: Bearer`. Without keys everybody on this machine is the one local principal, so
 * pages in this machine's browsers are kept out: a foreign Origin, or a Host that is not loopback (DNS rebinding), is refused.
 */
import { TuttiError } from '@tutti/contracts';
import type { FastifyRequest } from 'fastify';
import type { GatewayConfig } from '../config.ts';
import { type Identity, identify, OPEN_IDENTITY } from '../core/api-keys.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set on every request under /v1. */
    identity: Identity;
  }
}

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/i;

/** Throws when the configuration would open the API to a network without anybody having said so. */
export function checkExposure(config: GatewayConfig): void {
  if (config.apiKeys.length > 0 || config.open || LOOPBACK.test(config.host)) return;
  throw new TuttiError(
    'invalid_request',
    `the gateway would listen on ${config.host} without API keys: set TUTTI_API_KEYS (key:tenant), or TUTTI_OPEN=true if the network around it is trusted`,
  );
}

export function createAuthenticate(config: GatewayConfig): (request: FastifyRequest) => Identity {
  const keys = new Map(config.apiKeys.map((key) => [key.keyHash, key]));
  if (keys.size === 0) {
    return (request) => {
      refuseForeignPages(request, !config.open);
      return OPEN_IDENTITY;
    };
  }
  return (request) => {
    const identity = identify(keys, request.headers.authorization);
    if (identity) return identity;
    const given = request.headers.authorization ? 'is not a valid one' : 'is missing';
    throw new TuttiError('unauthenticated', `the API key ${given}: send "Authorization: Bearer <key>"`);
  };
}

function refuseForeignPages(request: FastifyRequest, loopbackOnly: boolean): void {
  const host = request.headers.host ?? '';
  const { origin } = request.headers;
  if (loopbackOnly && !LOOPBACK.test(host.replace(/:\d+$/, '')))
    throw new TuttiError('forbidden', `without API keys only loopback names are served, not "${host}"`);
  if (origin !== undefined && origin.replace(/^https?:\/\//, '') !== host)
    throw new TuttiError('forbidden', `without API keys pages of other origins ("${origin}") are not served`);
}
