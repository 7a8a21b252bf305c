/**
 * An MCP server over stdio whose tools are what a file says, at any time: `{name: {description, readOnly}}` in FACES. Tells
 * its client when the file has changed. For tests of pins.
 */
import { readFileSync, watchFile } from 'node:fs';
import { McpServer } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { z } from 'zod';

const file = process.env.FACES!;
const POLL_MS = 20;

function read(): Record<string, { description: string; readOnly?: boolean }> {
  return JSON.parse(readFileSync(file, 'utf8'));
}

serveStdio(() => {
  const server = new McpServer(
    { name: 'changing', version: '1.0.0' },
    { capabilities: { tools: { listChanged: true } } },
  );
  const registered = new Map<string, { update(face: object): void; remove(): void }>();
  const apply = () => {
    const faces = read();
    for (const [name, { description, readOnly }] of Object.entries(faces)) {
      const annotations = { readOnlyHint: readOnly ?? false };
      const known = registered.get(name);
      if (known) known.update({ description, annotations });
      else
        registered.set(
          name,
          server.registerTool(name, { description, inputSchema: z.object({}), annotations }, async () => ({
            content: [{ type: 'text', text: `${name} ran` }],
          })),
        );
    }
    for (const [name, tool] of registered)
      if (!faces[name]) {
        tool.remove();
        registered.delete(name);
      }
  };
  apply();
  watchFile(file, { interval: POLL_MS }, apply).unref();
  return server;
});
