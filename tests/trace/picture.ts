/** A trace as a picture: the tree on the left, when each span was at work on the right, and what a person looks for beside it. */
import { ATTR } from '@tutti/runtime';
import type { Span } from './spans.ts';
import { type Node, treeOf } from './tree.ts';

const ROW = 17;
const TOP = 46;
const TREE = 420;
const BAR = 480;
const NOTE = 600;
const INDENT = 14;
const COLOURS: Record<string, string> = {
  'tutti-gateway': '#64748b',
  'tutti-planner': '#2563eb',
  'tutti-memory': '#0d9488',
  'tutti-retriever': '#16a34a',
  'tutti-router': '#c026d3',
  'tutti-tools': '#ea580c',
};

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}

/** What stands beside the bar: the tags that one would open the span for. */
function noteOf({ name, attributes, error }: Span): string {
  const tag = (key: string) => attributes[key];
  if (error !== undefined) return `failed: ${tag(ATTR.errorType) ?? error}`;
  if (name.startsWith('plan ')) return [tag(ATTR.planTasks)].flat().join(' · ');
  if (name.startsWith('invoke_agent ')) return String(tag(ATTR.task) ?? '');
  if (name.startsWith('invoke_workflow '))
    return `${tag(ATTR.runStatus)}, ${tag(ATTR.runModelCalls)} model calls, ${tag(ATTR.inputTokens)} tokens in`;
  if (name.startsWith('chat ')) return [tag(ATTR.routeCandidates)].flat().join(' · ');
  if (name.startsWith('execute_tool '))
    return `${tag(ATTR.toolEffect)}, ${tag(ATTR.decision)} by ${tag(ATTR.policy)}${tag(ATTR.grant) ? ', approved by a human' : ''}`;
  if (name === 'approval.wait')
    return `${tag(ATTR.toolName)}: ${tag(ATTR.approvalStatus)} (policy ${tag(ATTR.approvalPolicy)})`;
  if (name === 'retrieval') return `${tag(ATTR.dataSource)}: ${tag(ATTR.passages)} passages`;
  return '';
}

function ms(value: number): string {
  return value >= 1_000 ? `${(value / 1_000).toFixed(1)} s` : `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
}

function flat(nodes: readonly Node[], depth = 0): { span: Span; depth: number }[] {
  return nodes.flatMap(({ span, children }) => [{ span, depth }, ...flat(children, depth + 1)]);
}

export function drawTrace(spans: readonly Span[], title: string): string {
  const rows = flat(treeOf(spans));
  const from = Math.min(...spans.map(({ startedAt }) => startedAt));
  const to = Math.max(...spans.map(({ endedAt }) => endedAt));
  const x = (at: number) => TREE + ((at - from) / Math.max(1, to - from)) * BAR;
  const height = TOP + rows.length * ROW + 14;
  const width = TREE + BAR + NOTE;
  const lines = rows.map(({ span, depth }, at) => {
    const y = TOP + at * ROW;
    const colour = span.error === undefined ? (COLOURS[span.service] ?? '#333333') : '#dc2626';
    const left = x(span.startedAt);
    const long = Math.max(2, x(span.endedAt) - left);
    const took = ms(span.endedAt - span.startedAt);
    return [
      at % 2 === 1 ? `<rect y="${y}" width="${width}" height="${ROW}" fill="#f8fafc"/>` : '',
      `<text x="${8 + depth * INDENT}" y="${y + 12}" fill="${colour}">${escaped(span.name)}</text>`,
      `<rect x="${left.toFixed(1)}" y="${y + 4}" width="${long.toFixed(1)}" height="9" rx="2" fill="${colour}"/>`,
      `<text x="${TREE + BAR + 10}" y="${y + 12}" fill="#475569"><tspan fill="#0f172a">${took}</tspan>  ${escaped(noteOf(span))}</text>`,
    ].join('');
  });
  const legend = Object.entries(COLOURS).map(
    ([service, colour], at) =>
      `<rect x="${8 + at * 130}" y="24" width="9" height="9" rx="2" fill="${colour}"/><text x="${21 + at * 130}" y="32" fill="#475569">${service}</text>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="ui-monospace, Menlo, Consolas, monospace" font-size="10.5">
<title>${escaped(title)}</title>
<rect width="${width}" height="${height}" fill="#ffffff"/>
<text x="8" y="14" font-weight="bold" fill="#0f172a">${escaped(title)}</text>
${legend.join('')}
${lines.join('\n')}
</svg>
`;
}
