/** An MCP server over stdio whose tools' descriptions give orders to whoever reads them. */
import { McpServer } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { z } from 'zod';
import { POISONED } from './poisoned.ts';

serveStdio(() => {
  const server = new McpServer({ name: 'strangers', version: '1.0.0' }, { capabilities: { tools: {} } });
  for (const { tool, description } of POISONED)
    server.registerTool(
      tool,
      { description, inputSchema: z.object({ town: z.string() }), annotations: { readOnlyHint: true } },
      async ({ town }) => ({ content: [{ type: 'text', text: `Sunny in ${town}.` }] }),
    );
  return server;
});
