/** A journal's entries, a line each, for people. Whatever is in them, the line is one line. */
import { dim, red, yellow } from '../style.ts';
import { oneLine, shortArguments } from './format.ts';

/** As the API shows it: fields by type. */
export interface JournalEntry {
  run: string;
  n: number;
  at: string;
  type: string;
  [field: string]: unknown;
}
export interface LateResult {
  callId: string;
  tool?: string;
  ok: boolean;
  content: string;
  at: string;
}
export interface JournalPage {
  data: JournalEntry[];
  has_more: boolean;
  late?: LateResult[] | null;
}

const NUMBER_WIDTH = 4;
const TYPE_WIDTH = 19;
const TEXT_CHARS_MAX = 110;

export function entryLine(entry: JournalEntry): string {
  const { n, at, type } = entry;
  return `${String(n).padStart(NUMBER_WIDTH)}  ${dim(at)}  ${painted(type)}  ${oneLine(about(entry), TEXT_CHARS_MAX)}`.trimEnd();
}

export function lateLine({ at, tool, callId, ok, content }: LateResult): string {
  const what = `${tool ?? callId} ${ok ? 'succeeded' : 'failed'} after it was given up: ${content}`;
  return `${' '.repeat(NUMBER_WIDTH)}  ${dim(at)}  ${yellow('late'.padEnd(TYPE_WIDTH))}  ${oneLine(what, TEXT_CHARS_MAX)}`;
}

function painted(type: string): string {
  const padded = type.padEnd(TYPE_WIDTH);
  if (/failed|cancel/.test(type)) return red(padded);
  return /approval|question|waiting|retried|sleep/.test(type) ? yellow(padded) : padded;
}

// biome-ignore lint/suspicious/noExplicitAny: fields are read as they come, and shown as text
type Fields = Record<string, any>;

function about(entry: JournalEntry): string {
  const e = entry as Fields;
  switch (entry.type) {
    case 'run.accepted':
      return `${e.agent}: ${e.input}`;
    case 'run.started':
      return `${e.strategy}: ${e.reason}`;
    case 'step.requested':
      return e.kind === 'execute' ? callOf(e) : [e.kind, e.purpose].filter(Boolean).join(' ');
    case 'step.completed':
      return completed(e);
    case 'step.failed':
    case 'step.retried':
    case 'run.failed':
      return e.error?.message ?? '';
    case 'plan.made':
      return e.plan?.question ?? (e.plan?.tasks ?? []).map((task: Fields) => task.goal).join('; ');
    case 'call.settled':
      return `${callOf(e)}: ${e.content}`;
    case 'approval.requested':
      return `${callOf(e.approval ?? {})}: ${e.approval?.reason}`;
    case 'approval.voted':
      return [`yes by ${e.by}`, e.arguments ? `with ${shortArguments(e.arguments)}` : ''].filter(Boolean).join(' ');
    case 'approval.decided':
      return [e.decision, `by ${e.by}`, e.reason].filter(Boolean).join(' ');
    case 'question.asked':
      return e.question?.text ?? '';
    case 'question.answered':
      return `${e.outcome}: ${e.text}`;
    case 'sleep.started':
      return `until ${e.until}`;
    case 'child.started':
      return `${e.child} ${e.agent}: ${e.task}`;
    case 'child.waiting':
      return `${e.child}: ${(e.approvals ?? []).length} approvals, ${(e.questions ?? []).length} questions`;
    case 'child.ended':
      return `${e.child} ${e.status}: ${e.output}`;
    case 'run.forked':
      return `of ${e.of} at ${e.version}`;
    case 'run.cancelling':
    case 'run.cancelled':
      return [`by ${e.by}`, e.reason].filter(Boolean).join(': ');
    case 'run.completed':
      return e.output ?? '';
    default:
      return '';
  }
}

function completed(e: Fields): string {
  if (e.kind === 'execute') return `${e.tool} ${e.isError ? 'failed' : 'ok'}: ${e.content}`;
  if (e.kind !== 'complete') return String(e.kind);
  const calls = (e.toolCalls ?? []).map((call: Fields) => `${call.name}(${shortArguments(call.arguments)})`);
  return [e.kind, e.purpose, calls.length > 0 ? calls.join(', ') : (e.content ?? '')].filter(Boolean).join(' ');
}

function callOf(e: Fields): string {
  return `${e.tool}(${shortArguments(e.arguments)})`;
}
