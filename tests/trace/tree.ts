/**
 * A trace as a tree, judged edge by edge: every span hangs where it belongs. What may hang below what is in EDGES; what is
 * not in there is a fault.
 */
import { ATTR, SPAN } from '@tutti/runtime';
import type { Span } from './spans.ts';

export interface Node {
  span: Span;
  children: Node[];
}

const RUN = /^invoke_(workflow|agent) /;
const serviceOf = (verb: string) => `tutti-${verb.split('.')[0]}`;

interface Edge {
  child: RegExp;
  /** Null: it may begin a trace. */
  parents: (RegExp | null)[];
  /** Of the child; and whether the edge crosses the bus. */
  service: (name: string) => string;
  bus: boolean;
}
const at = (service: string) => () => `tutti-${service}`;
const processed = (verbs: string) => new RegExp(`^process tutti\\.svc\\.(${verbs})$`);

const EDGES: Edge[] = [
  { child: /^POST \/v1\//, parents: [null], service: at('gateway'), bus: false },
  { child: /^invoke_workflow /, parents: [/^POST \/v1\//, null], service: at('planner'), bus: true },
  { child: /^invoke_agent /, parents: [RUN], service: at('planner'), bus: false },
  { child: /^plan /, parents: [RUN], service: at('planner'), bus: false },
  {
    child: processed('router\\.complete'),
    parents: [RUN, /^plan /],
    service: at('router'),
    bus: true,
  },
  {
    child: processed('memory\\.(recall|remember)|retriever\\.search|tools\\.(describe|execute)'),
    parents: [RUN],
    service: (name) => serviceOf(name.replace('process tutti.svc.', '')),
    bus: true,
  },
  { child: /^chat /, parents: [processed('router\\.complete')], service: at('router'), bus: false },
  { child: /^execute_tool /, parents: [processed('tools\\.execute')], service: at('tools'), bus: false },
  { child: /^retrieval$/, parents: [processed('retriever\\.search')], service: at('retriever'), bus: false },
  { child: /^find /, parents: [processed('memory\\.recall')], service: at('memory'), bus: false },
  { child: /^upsert /, parents: [processed('memory\\.remember')], service: at('memory'), bus: false },
  {
    child: new RegExp(`^(${SPAN.approvalWait}|${SPAN.questionWait}|${SPAN.queueWait}|${SPAN.sleep}|step\\.failed .+)$`),
    parents: [RUN],
    service: at('planner'),
    bus: false,
  },
];

/** The same span, written by two owners of a run, is one: as Jaeger shows it. */
export function distinct(spans: readonly Span[]): Span[] {
  return [...new Map(spans.map((span) => [JSON.stringify(span), span])).values()];
}

export function treeOf(spans: readonly Span[]): Node[] {
  const nodes = new Map(spans.map((span) => [span.spanId, { span, children: [] as Node[] }]));
  const roots: Node[] = [];
  for (const node of nodes.values()) {
    const parent = node.span.parentSpanId === undefined ? undefined : nodes.get(node.span.parentSpanId);
    (parent?.children ?? roots).push(node);
  }
  const byStart = (a: Node, b: Node) => a.span.startedAt - b.span.startedAt || a.span.name.localeCompare(b.span.name);
  for (const node of nodes.values()) node.children.sort(byStart);
  return roots.sort(byStart);
}

export interface Judged {
  problems: string[];
  edges: number;
  /** Of these, how many cross the bus. */
  overBus: number;
}

/** What is wrong with one trace. `skewMs`: by how much clocks may differ. */
export function judge(spans: readonly Span[], skewMs = 5): Judged {
  const problems: string[] = [];
  const ids = new Map<string, Span>();
  for (const span of spans) {
    const same = ids.get(span.spanId);
    if (same) problems.push(`two different spans have the id of "${span.name}" (and "${same.name}")`);
    ids.set(span.spanId, span);
  }
  if (new Set(spans.map(({ traceId }) => traceId)).size > 1) problems.push('spans of several traces');
  const roots = spans.filter(({ parentSpanId }) => parentSpanId === undefined);
  if (roots.length !== 1) problems.push(`${roots.length} roots: ${roots.map(({ name }) => name).join(', ')}`);
  // The same work, asked again: the first answer counts, and the other may come when the run is over.
  const asked = Map.groupBy(spans, (span) => span.attributes[ATTR.messagingMessage]);
  const isRepeated = ({ attributes: { [ATTR.messagingMessage]: id } }: Span) =>
    id !== undefined && asked.get(id)!.length > 1;
  let edges = 0;
  let overBus = 0;
  for (const span of spans) {
    const parent = span.parentSpanId === undefined ? null : ids.get(span.parentSpanId);
    if (parent === undefined) {
      problems.push(`"${span.name}" is an orphan: its parent ${span.parentSpanId} is not there`);
      continue;
    }
    const edge = EDGES.find(({ child }) => child.test(span.name));
    if (!edge) {
      problems.push(`nobody knows "${span.name}" (below "${parent?.name ?? 'nothing'}")`);
      continue;
    }
    problems.push(...judgeEdge(span, parent, edge, isRepeated(span) ? Number.POSITIVE_INFINITY : skewMs, skewMs));
    if (!parent) continue;
    edges++;
    if (edge.bus) overBus++;
  }
  return { problems, edges, overBus };
}

/** `lateMs`: by how much it may end after its parent. */
function judgeEdge(
  span: Span,
  parent: Span | null,
  { parents, service }: Edge,
  lateMs: number,
  skewMs: number,
): string[] {
  const problems: string[] = [];
  const where = `"${span.name}" below "${parent?.name ?? 'nothing'}"`;
  if (!parents.some((one) => (one === null ? parent === null : parent !== null && one.test(parent.name))))
    problems.push(`${where}: it does not belong there`);
  if (span.service !== service(span.name)) problems.push(`${where}: it is from ${span.service}`);
  if (span.endedAt < span.startedAt) problems.push(`${where}: it ends before it begins`);
  if (!parent) return problems;
  if (span.startedAt < parent.startedAt - skewMs) problems.push(`${where}: it begins before its parent`);
  // A request ends when the run is accepted: the run is still to come.
  if (!parent.name.startsWith('POST ') && span.endedAt > parent.endedAt + lateMs)
    problems.push(`${where}: it ends ${Math.round(span.endedAt - parent.endedAt)} ms after its parent`);
  const own = span.attributes[ATTR.run];
  const above = parent.attributes[ATTR.run];
  const isChild = span.attributes[ATTR.parentRun] !== undefined;
  if (isChild && span.attributes[ATTR.parentRun] !== above) problems.push(`${where}: it is a child of another run`);
  if (!isChild && own !== undefined && above !== undefined && own !== above)
    problems.push(`${where}: it is of another run`);
  return problems;
}

/**
 * Names alone, children in order of their names, what was asked again under the same id once: the same for every run of the
 * same work, on a busy machine too.
 */
export function shapeOf(nodes: readonly Node[], indent = ''): string[] {
  const asked = new Map<unknown, Node>();
  for (const node of nodes) {
    const key = node.span.attributes[ATTR.messagingMessage] ?? node.span.spanId;
    if ((asked.get(key)?.children.length ?? -1) < node.children.length) asked.set(key, node);
  }
  const lines = [...asked.values()].map(({ span, children }) => [
    `${indent}${span.name}`,
    ...shapeOf(children, `${indent}  `),
  ]);
  return lines.sort((a, b) => (a.join('\n') < b.join('\n') ? -1 : 1)).flat();
}
