/** Toolboxes by bundle hash: made on first use, and closed when too many newer ones are used and nothing runs in them. */
import type { Bundle } from '@tutti/contracts';
import { createBuiltinSource } from '../adapters/builtin/source.ts';
import { createMcpSource } from '../adapters/mcp/source.ts';
import { createOpenApiSource } from '../adapters/openapi/source.ts';
import type { ToolsLimits } from '../config.ts';
import { createPlaceholders } from '../core/placeholders.ts';
import type { ToolSource } from '../ports/tool-source.ts';
import { createToolbox, type Toolbox } from './toolbox.ts';

const TOOLBOXES_MAX = 32;

export interface Toolboxes {
  of(hash: string, bundle: Bundle): Toolbox;
  close(): Promise<void>;
}

export function createToolboxes(limits: ToolsLimits, variables: Record<string, string>): Toolboxes {
  const boxes = new Map<string, Toolbox>();
  function createSource(name: string, manifest: Bundle['tools'][string]): ToolSource {
    const placeholders = createPlaceholders(name, variables);
    switch (manifest.type) {
      case 'openapi':
        return createOpenApiSource({ manifest, placeholders, responseBytesMax: limits.responseBytesMax });
      case 'mcp':
        return createMcpSource({
          manifest,
          placeholders,
          connectTimeoutMs: limits.listTimeoutMs,
          idleMs: limits.idleMs,
        });
      case 'builtin':
        return createBuiltinSource();
    }
  }
  function makeRoom(): void {
    for (const [hash, box] of boxes) {
      if (boxes.size < TOOLBOXES_MAX) return;
      if (box.active > 0) continue;
      boxes.delete(hash);
      void box.close();
    }
  }
  return {
    of(hash, bundle) {
      let box = boxes.get(hash);
      if (box) boxes.delete(hash);
      else {
        makeRoom();
        box = createToolbox(bundle, { createSource, ...limits });
      }
      boxes.set(hash, box);
      return box;
    },
    async close() {
      await Promise.all([...boxes.values()].map((box) => box.close()));
      boxes.clear();
    },
  };
}
