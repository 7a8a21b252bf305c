/**
 * Toolboxes by tenant and bundle hash: made on first use, and closed when too many newer ones are used and nothing runs in
 * them. No two tenants share a connection to a server, nor what is pinned.
 */
import { type Bundle, contentHash } from '@tutti/contracts';
import type { Bus } from '@tutti/runtime';
import { createBuiltinSource } from '../adapters/builtin/source.ts';
import { createLocalSource, type LocalTool } from '../adapters/local/source.ts';
import { createMcpSource } from '../adapters/mcp/source.ts';
import { createOpenApiSource } from '../adapters/openapi/source.ts';
import type { Grants } from '../adapters/outbound/grants.ts';
import { createOutbound } from '../adapters/outbound/outbound.ts';
import { createWorkerSource } from '../adapters/worker/source.ts';
import type { ToolsLimits } from '../config.ts';
import { createPlaceholders, type Placeholders } from '../core/placeholders.ts';
import type { PinStore } from '../ports/pin-store.ts';
import type { Results } from '../ports/results.ts';
import type { ToolSource } from '../ports/tool-source.ts';
import { createToolbox, type Toolbox } from './toolbox.ts';

const TOOLBOXES_MAX = 32;

export interface Toolboxes {
  of(tenant: string, hash: string, bundle: Bundle): Toolbox;
  close(): Promise<void>;
}

export interface ToolboxesOptions {
  limits: ToolsLimits;
  variables: Record<string, string>;
  grants: Grants;
  pins: PinStore;
  /** Where large results are kept in full. */
  results: Results;
  bus: Pick<Bus, 'publish' | 'subscribe' | 'request' | 'inbox'>;
  /** Toolsets of the process that runs this service, by name. */
  local: Record<string, LocalTool[]>;
}

export function createToolboxes(options: ToolboxesOptions): Toolboxes {
  const boxes = new Map<string, Toolbox>();
  function makeRoom(): void {
    for (const [key, box] of boxes) {
      if (boxes.size < TOOLBOXES_MAX) return;
      if (box.active > 0) continue;
      boxes.delete(key);
      void box.close();
    }
  }
  return {
    of(tenant, hash, bundle) {
      const key = `${tenant} ${hash}`;
      let box = boxes.get(key);
      if (box) boxes.delete(key);
      else {
        makeRoom();
        const createSource = (name: string, manifest: Manifest) => sourceOf(options, tenant, name, manifest);
        box = createToolbox(bundle, { createSource, ...options.limits });
      }
      boxes.set(key, box);
      return box;
    },
    async close() {
      await Promise.all([...boxes.values()].map((box) => box.close()));
      boxes.clear();
    },
  };
}

type Manifest = Bundle['tools'][string];

function sourceOf(options: ToolboxesOptions, tenant: string, name: string, manifest: Manifest): ToolSource {
  const { limits, pins, bus, local, results } = options;
  const placeholders = createPlaceholders(name, options.variables);
  switch (manifest.type) {
    case 'openapi': {
      const outbound = outboundFor(options.grants, manifest.url, placeholders);
      return createOpenApiSource({ manifest, placeholders, outbound, responseBytesMax: limits.responseBytesMax });
    }
    case 'mcp': {
      const { transport } = manifest;
      return createMcpSource({
        manifest,
        placeholders,
        outbound: outboundFor(options.grants, transport.type === 'http' ? transport.url : undefined, placeholders),
        connectTimeoutMs: limits.listTimeoutMs,
        idleMs: limits.idleMs,
        pins: { store: pins, key: `${tenant}.${name}.${contentHash(transport)}` },
      });
    }
    case 'nats':
      return createWorkerSource({ bus, tenant, worker: manifest.worker ?? name });
    case 'local':
      return createLocalSource(local[manifest.toolset ?? name], manifest.toolset ?? name);
    case 'builtin':
      return createBuiltinSource({
        outbound: createOutbound(options.grants),
        responseBytesMax: limits.responseBytesMax,
        results,
        resultCharsMax: limits.resultCharsMax,
      });
  }
}

/** What the operator granted, and the address that the operator's own variable gives this source. */
function outboundFor(grants: Grants, url: string | undefined, placeholders: Placeholders) {
  const origin = url === undefined ? undefined : placeholders.operatorOrigin(url);
  return createOutbound(origin === undefined ? grants : grants.withOrigin(origin));
}
