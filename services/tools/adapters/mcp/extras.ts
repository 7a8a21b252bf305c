/**
 * A server's resources and prompts as tools, where the bundle asks for them: a model reads them like anything else. What
 * they are called and say is ours, so there is nothing of the server's to pin.
 */
import type { Client } from '@modelcontextprotocol/client';
import type { Placeholders } from '../../core/placeholders.ts';
import type { SourceTool, ToolCallOptions, ToolResult } from '../../ports/tool-source.ts';
import { dataResult, textOf } from './result.ts';

interface Extra {
  tool: SourceTool;
  call(client: Client, args: Record<string, unknown>, options: ToolCallOptions): Promise<ToolResult>;
}

const NO_ARGUMENTS = { type: 'object', additionalProperties: false, properties: {} };

export function extraTools(
  wanted: { resources?: boolean | undefined; prompts?: boolean | undefined },
  placeholders: Placeholders,
): Map<string, Extra> {
  const all = [
    ...(wanted.resources ? resourceTools(placeholders) : []),
    ...(wanted.prompts ? promptTools(placeholders) : []),
  ];
  return new Map(all.map((extra) => [extra.tool.name, extra]));
}

function resourceTools(placeholders: Placeholders): Extra[] {
  return [
    {
      tool: {
        name: 'list_resources',
        description: 'Lists what can be read with read_resource: addresses (URIs), and patterns of addresses.',
        parameters: NO_ARGUMENTS,
        effect: 'pure',
      },
      async call(client, _args, options) {
        const has = client.getServerCapabilities()?.resources;
        const limits = limitsOf(options);
        const [{ resources }, { resourceTemplates }] = has
          ? await Promise.all([
              client.listResources(undefined, limits),
              client.listResourceTemplates(undefined, limits),
            ])
          : [{ resources: [] }, { resourceTemplates: [] }];
        return dataResult(
          {
            resources: resources.map(({ uri, name, description, mimeType }) => ({ uri, name, description, mimeType })),
            patterns: resourceTemplates.map(({ uriTemplate, name, description }) => ({
              uriTemplate,
              name,
              description,
            })),
          },
          placeholders,
        );
      },
    },
    {
      tool: {
        name: 'read_resource',
        description: 'Reads one resource of the server by its address, as list_resources gives it.',
        parameters: oneString('uri', 'The address.'),
        effect: 'pure',
      },
      async call(client, args, options) {
        const { contents } = await client.readResource({ uri: String(args.uri) }, limitsOf(options));
        const text = contents.map((part) => ('text' in part ? part.text : `[${part.mimeType ?? 'binary'} left out]`));
        return { content: placeholders.redact(text.join('\n')), isError: false };
      },
    },
  ];
}

function promptTools(placeholders: Placeholders): Extra[] {
  return [
    {
      tool: {
        name: 'list_prompts',
        description: 'Lists the prompts that the server offers, with their arguments.',
        parameters: NO_ARGUMENTS,
        effect: 'pure',
      },
      async call(client, _args, options) {
        const has = client.getServerCapabilities()?.prompts;
        const { prompts } = has ? await client.listPrompts(undefined, limitsOf(options)) : { prompts: [] };
        return dataResult(
          prompts.map(({ name, description, arguments: args }) => ({ name, description, arguments: args })),
          placeholders,
        );
      },
    },
    {
      tool: {
        name: 'get_prompt',
        description: 'Gives the text of one prompt of the server, filled with arguments.',
        parameters: {
          ...oneString('name', 'As list_prompts gives it.'),
          properties: {
            name: { type: 'string', description: 'As list_prompts gives it.' },
            arguments: { type: 'object', additionalProperties: { type: 'string' } },
          },
        },
        effect: 'pure',
      },
      async call(client, args, options) {
        const given = (args.arguments ?? {}) as Record<string, string>;
        const { messages } = await client.getPrompt({ name: String(args.name), arguments: given }, limitsOf(options));
        const text = messages.map(({ role, content }) => `${role}: ${textOf(content)}`).join('\n\n');
        return { content: placeholders.redact(text), isError: false };
      },
    },
  ];
}

function oneString(name: string, description: string) {
  return {
    type: 'object',
    additionalProperties: false,
    required: [name],
    properties: { [name]: { type: 'string', minLength: 1, description } },
  };
}

function limitsOf({ signal, timeoutMs }: ToolCallOptions) {
  return { signal, timeout: timeoutMs, cacheMode: 'refresh' as const };
}
