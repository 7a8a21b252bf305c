/**
 * Tokens for an MCP server that asks for them, without a person: client credentials (secret or signed assertion), or a
 * refresh token that somebody got by logging in. Discovery (RFC 9728, 8414), the resource indicator (RFC 8707) and the
 * check of the issuer are the SDK's. What is received is taken out of results like any other secret.
 */
import {
  ClientCredentialsProvider,
  type OAuthClientProvider,
  PrivateKeyJwtProvider,
  type StoredOAuthTokens,
} from '@modelcontextprotocol/client';
import type { OAuthGrant } from '@tutti/contracts';
import type { Placeholders } from '../../core/placeholders.ts';

const CLIENT_NAME = 'Tutti';

export function createOAuthProvider(grant: OAuthGrant, placeholders: Placeholders): OAuthClientProvider {
  const provider = providerOf(grant, placeholders);
  const saveTokens = provider.saveTokens.bind(provider);
  provider.saveTokens = (tokens, context) => {
    hideTokens(tokens, placeholders);
    return saveTokens(tokens, context);
  };
  return provider;
}

export function hideTokens(tokens: StoredOAuthTokens, placeholders: Placeholders): void {
  placeholders.hide(tokens.access_token, 'access token');
  if (tokens.refresh_token) placeholders.hide(tokens.refresh_token, 'refresh token');
}

function providerOf(grant: OAuthGrant, placeholders: Placeholders): OAuthClientProvider {
  const clientId = placeholders.fill(grant.clientId);
  const issuer = grant.issuer === undefined ? {} : { expectedIssuer: grant.issuer };
  switch (grant.grant) {
    case 'client_credentials':
      return new ClientCredentialsProvider({
        clientId,
        clientSecret: placeholders.fill(grant.clientSecret),
        clientName: CLIENT_NAME,
        ...(grant.scope === undefined ? {} : { scope: grant.scope }),
        ...issuer,
      });
    case 'private_key_jwt':
      return new PrivateKeyJwtProvider({
        clientId,
        privateKey: placeholders.fill(grant.privateKey),
        algorithm: grant.algorithm,
        clientName: CLIENT_NAME,
        ...(grant.scope === undefined ? {} : { scope: grant.scope }),
        ...issuer,
      });
    case 'refresh_token':
      return refreshing(grant, clientId, placeholders);
  }
}

/** The newest refresh token counts: a server may give another one with every use. */
function refreshing(
  grant: Extract<OAuthGrant, { grant: 'refresh_token' }>,
  clientId: string,
  placeholders: Placeholders,
): OAuthClientProvider {
  const secret = grant.clientSecret === undefined ? undefined : placeholders.fill(grant.clientSecret);
  let refreshToken = placeholders.fill(grant.refreshToken);
  let tokens: StoredOAuthTokens | undefined;
  return {
    // No page to come back to: nobody is there to log in.
    redirectUrl: undefined,
    clientMetadata: { client_name: CLIENT_NAME, redirect_uris: [], grant_types: ['refresh_token'] },
    clientInformation: () => ({
      client_id: clientId,
      ...(secret === undefined ? {} : { client_secret: secret }),
      ...(grant.issuer === undefined ? {} : { issuer: grant.issuer }),
    }),
    tokens: () => tokens,
    saveTokens(given) {
      tokens = given;
      refreshToken = given.refresh_token ?? refreshToken;
    },
    prepareTokenRequest: () => new URLSearchParams({ grant_type: 'refresh_token', refresh_token: refreshToken }),
    redirectToAuthorization() {
      throw new Error('nobody is there to log in');
    },
    saveCodeVerifier() {},
    codeVerifier: () => '',
  };
}
