/**
 * Pins: a tool counts only as long as what its server says of it is what was approved, or, where nobody approved anything,
 * what it said first. Pure. Everything else is withheld: no model sees it, no call reaches it.
 */
import type { Tool } from '@modelcontextprotocol/client';
import { faceHash, type McpPins, ToolFace, type WithheldTool } from '@tutti/contracts';

export function faceOf(tool: Tool): ToolFace {
  return ToolFace.parse({
    name: tool.name,
    title: tool.title,
    description: tool.description,
    inputSchema: tool.inputSchema,
    outputSchema: tool.outputSchema,
    annotations: tool.annotations,
  });
}

export function pinsOf(faces: ToolFace[]): McpPins {
  return Object.fromEntries(faces.map((face) => [face.name, { hash: faceHash(face), face }]));
}

export interface Sorted {
  trusted: ToolFace[];
  withheld: WithheldTool[];
  /** Pinned tools that the server no longer has. */
  gone: string[];
}

export function sortByPins(offered: ToolFace[], pins: McpPins): Sorted {
  const trusted: ToolFace[] = [];
  const withheld: WithheldTool[] = [];
  for (const face of offered) {
    const hash = faceHash(face);
    const pin = Object.hasOwn(pins, face.name) ? pins[face.name] : undefined;
    // A pin whose parts do not belong together was edited by hand: what it shows is not what it lets through.
    if (pin && faceHash(pin.face) !== pin.hash)
      withheld.push({ name: face.name, why: 'pin-broken', offered: face, hash });
    else if (pin?.hash === hash) trusted.push(face);
    else if (pin) withheld.push({ name: face.name, why: 'changed', pinned: pin.face, offered: face, hash });
    else withheld.push({ name: face.name, why: 'new', offered: face, hash });
  }
  const names = new Set(offered.map((face) => face.name));
  return { trusted, withheld, gone: Object.keys(pins).filter((name) => !names.has(name)) };
}

export function sayWithheld({ name, why }: WithheldTool): string {
  const what = {
    changed: 'its server describes it otherwise than when it was approved',
    new: 'its server offers it only now, and nobody has approved it',
    'pin-broken': 'its pin does not belong to what the pin shows',
  }[why];
  return `"${name}" is withheld: ${what}; see \`tutti tools review\``;
}
