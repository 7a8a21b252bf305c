/**
 * What makes a tool of somebody else's the one that was looked at: what a model and a policy see of it. A server that
 * says something else later ("tool poisoning") is found out by the hash.
 */
import { z } from 'zod';
import { JsonSchema } from './chat.ts';
import { contentHash } from './ids.ts';

/** All that a server says of a tool that can change what a model does or what a call counts as. */
export const ToolFace = z.strictObject({
  name: z.string(),
  title: z.string().optional(),
  description: z.string().optional(),
  inputSchema: JsonSchema,
  outputSchema: JsonSchema.optional(),
  /** `readOnlyHint` and the like: effect kinds come from them. */
  annotations: z.record(z.string(), z.unknown()).optional(),
});
export type ToolFace = z.infer<typeof ToolFace>;

export const ToolPin = z.strictObject({
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  /** What was seen, so that a change can be shown beside it. */
  face: ToolFace,
  /** Who approved it, and when (Unix milliseconds). */
  by: z.string().optional(),
  at: z.number().int().optional(),
});
export type ToolPin = z.infer<typeof ToolPin>;
/** By the server's own name of the tool. */
export const McpPins = z.record(z.string(), ToolPin);
export type McpPins = z.infer<typeof McpPins>;

export function faceHash(face: ToolFace): string {
  return contentHash(face);
}

/** What is stored of one server: who let which of its tools through, and when. */
export const PinRecord = z.object({ v: z.literal(1), pins: McpPins });
export type PinRecord = z.infer<typeof PinRecord>;

/** A tool that is kept from models and callers until somebody approves it. */
export const WithheldTool = z.object({
  name: z.string(),
  why: z.enum(['changed', 'new', 'pin-broken']),
  /** As approved; there is none of a new tool. */
  pinned: ToolFace.optional(),
  offered: ToolFace,
  /** Of `offered`: an approval names it, so that nothing else than what was shown is approved. */
  hash: z.string(),
});
export type WithheldTool = z.infer<typeof WithheldTool>;

export const SourcesBody = z.object({
  bundle: z.string(),
  /** Ask the servers again instead of going by what is remembered. */
  fresh: z.boolean().default(false),
});
export const SourcesResult = z.object({
  sources: z.array(
    z.object({
      name: z.string(),
      type: z.string(),
      tools: z.array(z.object({ name: z.string(), own: z.string(), description: z.string(), effect: z.string() })),
      withheld: z.array(WithheldTool),
      /** What is offered now, for pinning; only where a source has pins. */
      faces: z.array(ToolFace),
      problems: z.array(z.string()),
    }),
  ),
});
export type SourcesResult = z.infer<typeof SourcesResult>;

export const ApproveToolsBody = z.object({
  bundle: z.string(),
  source: z.string(),
  /** The hash that was shown, by the server's own name of the tool. What is offered otherwise by now is not approved. */
  tools: z.record(z.string(), z.string()),
  by: z.string(),
  at: z.number().int(),
});
export const ApproveToolsResult = z.object({ approved: z.array(z.string()) });

/** Where a document came from when the bundle was made. */
export const DocumentOrigin = z.strictObject({ url: z.string(), hash: z.string() });

/** Values may hold `${NAME}`. Tokens are asked for by the tools service, for this server alone (RFC 8707), and stay there. */
export const OAuthGrant = z.discriminatedUnion('grant', [
  z.strictObject({
    grant: z.literal('client_credentials'),
    clientId: z.string(),
    clientSecret: z.string(),
    scope: z.string().optional(),
    /** The only authorization server that may see the secret. */
    issuer: z.string().optional(),
  }),
  z.strictObject({
    grant: z.literal('private_key_jwt'),
    clientId: z.string(),
    /** PKCS#8 PEM. */
    privateKey: z.string(),
    algorithm: z.string().default('ES256'),
    scope: z.string().optional(),
    issuer: z.string().optional(),
  }),
  z.strictObject({
    grant: z.literal('refresh_token'),
    clientId: z.string(),
    clientSecret: z.string().optional(),
    refreshToken: z.string(),
    issuer: z.string().optional(),
  }),
]);
export type OAuthGrant = z.infer<typeof OAuthGrant>;
