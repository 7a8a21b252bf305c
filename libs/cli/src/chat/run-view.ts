/**
 * Shows one run as it goes: a line for each step that matters, the answer as it is written. Owns what was printed so far.
 * Invariant: at the end the whole answer, as the journal has it, stands at the bottom, once; text of an attempt that died
 * is marked as void.
 */
import type { ShownEvent } from '../client/shapes.ts';
import { dim, green, plural, red, yellow } from '../style.ts';
import { citationLines, duration, oneLine, safe, shortArguments, usageText } from './format.ts';

const GOAL_CHARS_MAX = 90;
const ERROR_CHARS_MAX = 200;
const PROGRESS_CHARS_MAX = 100;

export class RunView {
  readonly #root: string;
  readonly #write: (text: string) => void;
  readonly #tasks = new Map<string, string>();
  /** What is being streamed now. */
  #stream: { callId: string; attempt: number; text: string } | undefined;
  #gathered = false;
  /** Each event of a child may come again after a reconnect. */
  readonly #seen = new Set<string>();

  constructor(root: string, write: (text: string) => void) {
    this.#root = root;
    this.#write = write;
  }

  show(event: ShownEvent): void {
    if (event.type === 'token') return this.#token(event);
    for (const line of this.#linesOf(event)) this.#line(line);
  }

  /** Ends what is being streamed, so that something else can be printed. */
  pause(): void {
    if (this.#stream?.text && !this.#stream.text.endsWith('\n')) this.#write('\n');
    this.#stream = undefined;
  }

  #line(text: string): void {
    this.pause();
    this.#write(`${text}\n`);
  }

  #token(event: Extract<ShownEvent, { type: 'token' }>): void {
    if (event.run !== this.#root) return;
    if (this.#stream && (this.#stream.callId !== event.callId || this.#stream.attempt !== event.attempt)) {
      const again = this.#stream.callId === event.callId;
      this.pause();
      if (again) this.#write(`${dim('(that answer broke off; it starts anew)')}\n`);
    }
    // the answer stands apart from the steps
    if (!this.#stream) this.#write('\n');
    this.#stream ??= { callId: event.callId, attempt: event.attempt, text: '' };
    this.#stream.text += event.text;
    this.#write(safe(event.text));
  }

  #indent(run: string): string {
    const task = this.#tasks.get(run);
    return run === this.#root ? '  ' : dim(`  ${task ?? 'task'} · `);
  }

  #linesOf(event: Exclude<ShownEvent, { type: 'token' }>): string[] {
    const indent = this.#indent(event.run);
    switch (event.type) {
      case 'run.accepted':
        return [];
      case 'progress':
        return [dim(`${indent}… ${safe(event.tool)}: ${oneLine(event.text, PROGRESS_CHARS_MAX)}`)];
      case 'step.requested':
        return this.#requested(event, indent);
      case 'step.completed':
        return this.#completed(event, indent);
      case 'step.failed':
        return [`${indent}${red('✗')} ${oneLine(event.error.message, ERROR_CHARS_MAX)}`];
      case 'step.retried':
        return [dim(`${indent}↻ try ${event.attempt + 1}: ${oneLine(event.error.message, ERROR_CHARS_MAX)}`)];
      case 'plan.made': {
        const tasks = event.plan.tasks.map(({ id, goal, dependsOn }) => {
          const after = dependsOn.length ? dim(` (after ${dependsOn.join(', ')})`) : '';
          return `${indent}  ${safe(id)}: ${oneLine(goal, GOAL_CHARS_MAX)}${after}`;
        });
        return tasks.length ? [`${indent}plan of ${plural(tasks.length, 'task')}`, ...tasks] : [];
      }
      case 'approval.requested':
      case 'child.waiting':
      case 'question.asked':
        return [];
      case 'question.answered':
        return event.outcome === 'answered' ? [] : [yellow(`${indent}✗ question ${safe(event.outcome)}`)];
      case 'sleep.started':
        return [dim(`${indent}⏸ sleeps until ${event.until}`)];
      case 'run.forked':
        return [dim(`${indent}goes on from version ${event.version} of ${event.of}`)];
      case 'approval.decided':
        return this.#decided(event, indent);
      case 'child.started':
        this.#tasks.set(event.child, safe(event.task));
        return [dim(`${indent}▸ ${safe(event.task)}`)];
      case 'child.ended':
        if (event.status === 'completed') return [`${indent}${green('✓')} ${safe(event.task)}`];
        return [
          `${indent}${red('✗')} ${safe(event.task)} ${event.status}${event.error ? `: ${oneLine(event.error.message, ERROR_CHARS_MAX)}` : ''}`,
        ];
      case 'run.cancelling':
        return event.run === this.#root ? [dim('  cancelling …')] : [];
      case 'run.completed':
        return event.run === this.#root ? this.#finished(event) : [];
      case 'run.failed':
        return event.run === this.#root
          ? [`${red('✗ the run failed:')} ${safe(event.error.message)}`, dim(`  ${usageText(event.usage)}`)]
          : [];
      case 'run.cancelled':
        return event.run === this.#root
          ? [yellow(`✗ cancelled${event.reason ? `: ${oneLine(event.reason, ERROR_CHARS_MAX)}` : ''}`)]
          : [];
      default: {
        const never: never = event;
        throw new Error(`no view for ${JSON.stringify(never)}`);
      }
    }
  }

  #requested(event: Extract<ShownEvent, { type: 'step.requested' }>, indent: string): string[] {
    if (event.run !== this.#root) return [];
    const gathers = event.kind === 'recall' || event.kind === 'search' || event.kind === 'describe';
    if (gathers && !this.#gathered) {
      this.#gathered = true;
      return [dim(`${indent}gathering memory, documents and tools`)];
    }
    return event.kind === 'complete' && event.purpose === 'plan' ? [dim(`${indent}planning`)] : [];
  }

  #completed(event: Extract<ShownEvent, { type: 'step.completed' }>, indent: string): string[] {
    if (event.kind === 'describe')
      return (event.problems ?? []).map((problem) => yellow(`${indent}! ${oneLine(problem, ERROR_CHARS_MAX)}`));
    if (event.kind !== 'execute') return [];
    const mark = event.isError ? red('✗') : green('✓');
    const call = `${safe(event.tool ?? '?')}(${shortArguments(event.arguments)})`;
    const note = dim([duration(event.durationMs), event.replayed ? 'recorded outcome' : ''].filter(Boolean).join(', '));
    const line = `${indent}${mark} ${call} ${note}`;
    return event.isError ? [line, red(`${indent}  ${oneLine(event.content ?? '', ERROR_CHARS_MAX)}`)] : [line];
  }

  #decided(event: Extract<ShownEvent, { type: 'approval.decided' }>, indent: string): string[] {
    const key = `${event.run} ${event.approval}`;
    if (this.#seen.has(key)) return [];
    this.#seen.add(key);
    const by = event.by ? ` by ${safe(event.by)}` : '';
    const line = `${indent}${event.decision === 'approved' ? green('✓ approved') : yellow(`✗ ${event.decision}`)}${by}`;
    return [event.reason ? `${line}: ${oneLine(event.reason, ERROR_CHARS_MAX)}` : line];
  }

  #finished(event: Extract<ShownEvent, { type: 'run.completed' }>): string[] {
    const streamed = this.#stream?.text === event.output;
    const notes = [
      usageText(event.usage),
      ...(event.degraded ? ['answered by the offline model, since no other did'] : []),
    ];
    const answer = streamed ? [''] : ['', safe(event.output), ''];
    return [...answer, ...citationLines(event.citations), dim(`  ${notes.join('; ')}`)];
  }
}
