/** `tutti chat` and `tutti run`: goals from a terminal, a pipe or the command line. */
import { TuttiError } from '@tutti/contracts';
import { type Conversation, type GoalEnd, pursue } from '../chat/converse.ts';
import { type Lines, noLines, readLines } from '../chat/lines.ts';
import { type Api, createApi } from '../client/api.ts';
import { EXIT, reportFailure } from '../report.ts';
import { bold, dim } from '../style.ts';

export interface ChatOptions {
  session?: string;
  url?: string;
  yes?: boolean;
}

const INTERRUPTED = 130;
const PROMPT = '> ';
const CODES: Record<GoalEnd, number> = {
  completed: EXIT.ok,
  failed: EXIT.failed,
  cancelled: INTERRUPTED,
  waiting: EXIT.waiting,
};

/** Ctrl-C: the first cancels the run in progress, where there is one; the next ends the command. */
class Interrupts {
  #current: AbortController | undefined;

  interrupt = (): void => {
    if (!this.#current || this.#current.signal.aborted) process.exit(INTERRUPTED);
    this.#current.abort();
  };

  async during<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    this.#current = new AbortController();
    try {
      return await work(this.#current.signal);
    } finally {
      this.#current = undefined;
    }
  }
}

function begin(agent: string, options: ChatOptions, openLines: (interrupts: Interrupts) => Lines) {
  const interrupts = new Interrupts();
  process.on('SIGINT', interrupts.interrupt);
  const conversation: Conversation = {
    api: createApi(options.url),
    agent,
    session: options.session,
    lines: openLines(interrupts),
    yes: options.yes ?? false,
    write: (text) => void process.stdout.write(text),
  };
  return { interrupts, conversation };
}

/** Throws TuttiError `not_found`, with the agents that there are. */
async function checkAgent(api: Api, agent: string): Promise<void> {
  const { data } = await api.get<{ data: { name: string }[] }>('/v1/agents');
  if (data.some(({ name }) => name === agent)) return;
  throw new TuttiError(
    'not_found',
    `there is no agent "${agent}" (there are: ${data.map(({ name }) => name).join(', ') || 'none'})`,
  );
}

/** Resolves with the exit code: that of the last goal. */
export async function chatCommand(agent: string, options: ChatOptions): Promise<number> {
  const { interrupts, conversation } = begin(agent, options, ({ interrupt }) =>
    readLines(process.stdin, process.stdout, interrupt),
  );
  const { api, lines } = conversation;
  await checkAgent(api, agent);
  if (lines.interactive)
    console.log(`Talking to ${bold(agent)} at ${api.url}. ${dim('Ctrl-C cancels a run, Ctrl-D ends.')}\n`);
  let code: number = EXIT.ok;
  for (;;) {
    const goal = await lines.next(PROMPT);
    if (goal === undefined) break;
    if (!goal.trim()) continue;
    if (/^\/?(exit|quit)$/i.test(goal.trim())) break;
    code = await oneGoal(conversation, interrupts, goal.trim());
    console.log();
    if (code === EXIT.unreachable || (code === EXIT.waiting && !lines.interactive)) break;
  }
  lines.close();
  if (lines.interactive && conversation.session)
    console.log(dim(`Go on later with: npx tutti chat ${agent} --session ${conversation.session}`));
  return code;
}

/** A failed goal does not end the conversation. */
async function oneGoal(conversation: Conversation, interrupts: Interrupts, goal: string): Promise<number> {
  try {
    return CODES[await interrupts.during((signal) => pursue(conversation, goal, signal))];
  } catch (error) {
    return reportFailure(error);
  }
}

/** Resolves with the exit code. */
export async function runCommand(agent: string, goal: string, options: ChatOptions): Promise<number> {
  const { interrupts, conversation } = begin(agent, options, ({ interrupt }) =>
    process.stdin.isTTY ? readLines(process.stdin, process.stdout, interrupt) : noLines,
  );
  const end = await interrupts.during((signal) => pursue(conversation, goal, signal));
  conversation.lines.close();
  return CODES[end];
}
