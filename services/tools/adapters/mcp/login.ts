/**
 * Logging in to an MCP server as a person does (authorization code with PKCE), once, to get a refresh token for the
 * `oauth` of a source. `open` shows the page and resolves with what the authorization server sent back to `redirectUrl`.
 */
import type {
  OAuthClientProvider,
  OAuthDiscoveryState,
  StoredOAuthClientInformation,
  StoredOAuthTokens,
} from '@modelcontextprotocol/client';

export interface LoginOptions {
  redirectUrl: string;
  open(url: URL): Promise<URLSearchParams>;
  /** A client that is registered with the authorization server; otherwise one is registered now. */
  client?: { id: string; secret?: string | undefined } | undefined;
  /** Where a document about this client is to be found, for servers that take its address as a client id. */
  clientMetadataUrl?: string | undefined;
}

export interface Login {
  provider: OAuthClientProvider;
  finish(): Promise<URLSearchParams>;
  tokens(): StoredOAuthTokens | undefined;
  /** Who this is to the authorization server, known after a login. */
  client(): StoredOAuthClientInformation | undefined;
}

export function createLogin({ redirectUrl, open, client, clientMetadataUrl }: LoginOptions): Login {
  let information: StoredOAuthClientInformation | undefined = client && {
    client_id: client.id,
    ...(client.secret === undefined ? {} : { client_secret: client.secret }),
  };
  let tokens: StoredOAuthTokens | undefined;
  let verifier = '';
  let discovery: OAuthDiscoveryState | undefined;
  let answer: Promise<URLSearchParams> | undefined;
  const provider: OAuthClientProvider = {
    redirectUrl,
    ...(clientMetadataUrl === undefined ? {} : { clientMetadataUrl }),
    clientMetadata: {
      client_name: 'Tutti',
      redirect_uris: [redirectUrl],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
    },
    clientInformation: () => information,
    saveClientInformation(given) {
      information = given;
    },
    tokens: () => tokens,
    saveTokens(given) {
      tokens = given;
      // Kept from asking to coming back alone: the server may name another authorization server the next time.
      discovery = undefined;
    },
    redirectToAuthorization(url) {
      answer = open(url);
      // Whoever finishes hears of a failure; until then it is nobody's.
      answer.catch(() => {});
    },
    saveCodeVerifier(given) {
      verifier = given;
    },
    codeVerifier: () => verifier,
    saveDiscoveryState(given) {
      discovery = given;
    },
    discoveryState: () => discovery,
    invalidateCredentials(scope) {
      if (scope === 'all' || scope === 'tokens') tokens = undefined;
      if (scope === 'all' || scope === 'client') information = undefined;
      if (scope === 'all' || scope === 'discovery') discovery = undefined;
    },
  };
  return {
    provider,
    async finish() {
      if (!answer) throw new Error('the authorization server was never asked');
      return answer;
    },
    tokens: () => tokens,
    client: () => information,
  };
}
