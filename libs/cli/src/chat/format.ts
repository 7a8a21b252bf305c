/** Data as short text for a terminal. Nothing that a tool or a model said can move the cursor or change colours. */

import type { Approval, Citation, Usage } from '../client/shapes.ts';
import { bold, dim, plural, yellow } from '../style.ts';

const ARGUMENTS_CHARS_MAX = 100;
const VALUE_CHARS_MAX = 40;
const MINUTE_MS = 60_000;

/** Control characters out, line ends and tabs kept. */
export function safe(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not reach the terminal
  return text.replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '');
}

export function oneLine(text: string, charsMax: number): string {
  const line = safe(text).replaceAll(/\s+/g, ' ').trim();
  return line.length > charsMax ? `${line.slice(0, charsMax - 1)}…` : line;
}

/** `{from: "BER", to: "TYO"}` → `from: BER, to: TYO`. */
export function shortArguments(values: Record<string, unknown> = {}): string {
  const parts = Object.entries(values).map(([name, value]) => {
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    return `${name}: ${oneLine(text ?? '', VALUE_CHARS_MAX)}`;
  });
  return oneLine(parts.join(', '), ARGUMENTS_CHARS_MAX);
}

/** Characters that cannot be seen, or that turn the text around them about: whoever approves must see that they are there. */
const UNSEEN =
  /\u00ad|\u061c|[\u115f-\u1160]|[\u17b4-\u17b5]|[\u180b-\u180f]|[\u200b-\u200f]|[\u2028-\u202e]|[\u2060-\u206f]|\u3164|[\ufe00-\ufe0f]|\ufeff|\uffa0|[\ufff9-\ufffb]|[\u{e0000}-\u{e0fff}]/gu;

function shown(text: string): string {
  return safe(text).replace(UNSEEN, (char) => `\\u{${char.codePointAt(0)!.toString(16)}}`);
}

/** Everything that would be executed, exactly: nothing is cut. */
export function approvalText(approval: Approval, now = Date.now()): string {
  const entries = Object.entries(approval.arguments);
  const width = Math.max(0, ...entries.map(([name]) => name.length));
  const lines = entries.map(([name, value]) => {
    const text = JSON.stringify(value, null, 2).replaceAll('\n', `\n    ${' '.repeat(width + 2)}`);
    return `    ${shown(name).replaceAll('\n', '\\n').padEnd(width)}  ${shown(text)}`;
  });
  return [
    `${yellow('? Approval needed:')} ${bold(safe(approval.tool))} ${dim(`(${approval.effect}, ${approval.id})`)}`,
    ...lines,
    ...(approval.shown ? [`    ${dim('as of now:')} ${safe(approval.shown)}`] : []),
    ...(approval.changes ?? []).map((change) => `    ${yellow('changed since it was approved:')} ${safe(change)}`),
    ...votes(approval),
    dim(
      `    why: ${oneLine(approval.reason, 200)} (policy ${safe(approval.policy)}); open for ${timeUntil(approval.expiresAt, now)}`,
    ),
  ].join('\n');
}

function votes({ quorum = 1, approvedBy = [], approvers }: Approval): string[] {
  const who = approvers ? ` of ${approvers.map(safe).join(', ')}` : '';
  if (quorum === 1) return who ? [dim(`    for one${who}`)] : [];
  return [
    dim(
      `    ${approvedBy.length} of ${quorum}${who} have approved${approvedBy.length ? `: ${approvedBy.map(safe).join(', ')}` : ''}`,
    ),
  ];
}

function timeUntil(iso: string, now: number): string {
  const minutes = Math.max(0, Math.round((Date.parse(iso) - now) / MINUTE_MS));
  if (minutes < 120) return plural(minutes, 'minute');
  return minutes < 48 * 60 ? plural(Math.round(minutes / 60), 'hour') : plural(Math.round(minutes / 60 / 24), 'day');
}

export function citationLines(citations: Citation[]): string[] {
  return citations.map(({ n, title, section }) =>
    dim(`  [${n}] ${oneLine(section ? `${title} — ${section}` : title, 120)}`),
  );
}

export function usageText(usage: Usage): string {
  const parts = [plural(usage.modelCalls, 'model call'), plural(usage.toolCalls, 'tool call')];
  const tokens = usage.inputTokens + usage.outputTokens;
  if (tokens) parts.push(plural(tokens, 'token'));
  if (usage.costUsd) parts.push(`$${usage.costUsd.toFixed(4)}`);
  return parts.join(', ');
}

export function duration(ms: number | undefined): string {
  if (ms === undefined) return '';
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}
