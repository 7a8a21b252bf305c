/** An MCP server over stdio for tests. COUNTER: a file to which every `add` appends a line, so that tests can count. */
import { appendFileSync } from 'node:fs';
import { McpServer } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { z } from 'zod';

serveStdio(() => {
  const server = new McpServer({ name: 'fixture', version: '1.0.0' }, { capabilities: { tools: {} } });
  server.registerTool(
    'sum',
    {
      description: 'Adds two numbers.',
      inputSchema: z.object({ a: z.number(), b: z.number() }),
      outputSchema: z.object({ sum: z.number() }),
      annotations: { readOnlyHint: true },
    },
    async ({ a, b }) => ({ content: [{ type: 'text', text: 'see data' }], structuredContent: { sum: a + b } }),
  );
  server.registerTool(
    'add.entry',
    { description: 'Adds a line.', inputSchema: z.object({ line: z.string() }), annotations: { idempotentHint: true } },
    async ({ line }, context) => {
      const key = (context as { mcpReq?: { _meta?: Record<string, unknown> } }).mcpReq?._meta?.[
        'tutti/idempotency-key'
      ];
      if (process.env.COUNTER) appendFileSync(process.env.COUNTER, `${line} ${key ?? '-'}\n`);
      return {
        content: [
          { type: 'text', text: 'added' },
          { type: 'text', text: line },
        ],
      };
    },
  );
  server.registerTool('secret', { description: 'Tells a secret.', inputSchema: z.object({}) }, async () => ({
    content: [{ type: 'text', text: `token ${process.env.TOKEN}, home ${process.env.TUTTI_VAR_TOKEN ?? 'clean'}` }],
  }));
  server.registerTool('fail', { description: 'Fails.', inputSchema: z.object({}) }, async () => ({
    content: [{ type: 'text', text: 'it is full' }],
    isError: true,
  }));
  server.registerTool('die', { description: 'Ends the server.', inputSchema: z.object({}) }, async () =>
    process.exit(3),
  );
  server.registerTool(
    'sleep',
    { description: 'Never answers.', inputSchema: z.object({}) },
    () => new Promise(() => {}),
  );
  server.registerTool(
    'pid',
    { description: 'Its process.', inputSchema: z.object({}), annotations: { readOnlyHint: true } },
    async () => ({
      content: [{ type: 'text', text: String(process.pid) }],
    }),
  );
  return server;
});
