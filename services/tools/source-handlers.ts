/** The verbs about sources: `sources` (what there is, and what is withheld) and `approveTools`. For people, not for runs. */
import { faceHash, TuttiError } from '@tutti/contracts';
import type { BundleStore, Handlers } from '@tutti/runtime';
import type { Toolboxes } from './toolbox/toolboxes.ts';

export function sourceHandlers(deps: { bundles: BundleStore; toolboxes: Toolboxes }): Handlers {
  return {
    async sources(body, { signal, item }) {
      const bundle = await deps.bundles.get(body.bundle);
      const views = await deps.toolboxes.of(item.tenant, body.bundle, bundle).view(body.fresh, signal);
      return {
        sources: views.map(({ tools, ...view }) => ({
          ...view,
          tools: tools.map(({ name, ownName, description, effect }) => ({ name, own: ownName, description, effect })),
        })),
      };
    },

    /** Binds to what was shown: what is offered otherwise by now is refused, and nothing of the request is approved. */
    async approveTools(body, { signal, item }) {
      const bundle = await deps.bundles.get(body.bundle);
      const toolbox = deps.toolboxes.of(item.tenant, body.bundle, bundle);
      const view = (await toolbox.view(true, signal)).find((one) => one.name === body.source);
      if (!view) throw new TuttiError('not_found', `there is no tool source "${body.source}" in this bundle`);
      const approve = toolbox.source(body.source)?.approve;
      if (!approve)
        throw new TuttiError(
          'invalid_request',
          `the tools of "${body.source}" are not approved here: ${whyNot(bundle.tools[body.source])}`,
        );
      const faces = Object.entries(body.tools).map(([name, hash]) => {
        const face = view.faces.find((one) => one.name === name);
        if (!face) throw new TuttiError('not_found', `"${body.source}" offers no tool "${name}" now`);
        if (faceHash(face) !== hash)
          throw new TuttiError('conflict', `"${name}" is not what was shown any more: look at it again`);
        return face;
      });
      await approve(faces, body.by, body.at);
      return { approved: faces.map((face) => face.name) };
    },
  };
}

function whyNot(manifest: { type: string; pins?: unknown } | undefined): string {
  if (manifest?.type !== 'mcp') return 'only those of MCP servers are pinned';
  return manifest.pins ? 'its bundle pins them; change `pins` there (`tutti tools pins`)' : '`pinning` is off';
}
