/** The command line. Each command's work is in a file of its own, loaded when it is used. */
import { Command, Option } from 'commander';
import type { ChatOptions } from './commands/chat.ts';
import type { RunsOptions } from './commands/runs.ts';

const url = () =>
  new Option('--url <url>', 'where Tutti is (default: TUTTI_URL, else http://127.0.0.1:$TUTTI_PORT or 8080)');
const EXAMPLES = `
Examples:
  tutti up                                   start Tutti with the travel example
  tutti chat travel                          talk to it
  tutti run travel "Is Tokyo safe in May?"   one goal
  tutti approvals                            what waits for a human
  tutti apply my-bundle                      another bundle into the running Tutti

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no Tutti there, 4 waits for an approval, 130 cancelled.`;

/** `exit`: told the exit code of whatever ran. */
export function createProgram(exit: (code: number) => void): Command {
  const program = new Command('tutti')
    .description('Tutti, an orchestration layer for AI agents.')
    .showHelpAfterError('(see: tutti --help)')
    .addHelpText('after', EXAMPLES)
    .exitOverride();
  upCommand(program, exit);
  conversationCommands(program, exit);
  approvalCommands(program, exit);
  contentCommands(program, exit);
  return program;
}

function upCommand(program: Command, exit: (code: number) => void): void {
  program
    .command('up')
    .description('start Tutti in one process: bus, six services, a bundle and its helper servers')
    .argument('[dir]', 'folder of a bundle (default: here if there is one, else examples/travel)')
    .addHelpText(
      'after',
      '\nVariables: TUTTI_PORT (8080), TUTTI_DATA (.tutti), TUTTI_LOG_LEVEL (info), NATS_URL (a server of its own),\nOPENAI_API_KEY, OPENAI_BASE_URL, TUTTI_MODEL (the offline model), OTEL_EXPORTER_OTLP_ENDPOINT (no traces).',
    )
    .action(async (dir: string | undefined) => {
      const { upCommand: run } = await import('./commands/up.ts');
      exit(await run(dir));
    });
}

function conversationCommands(program: Command, exit: (code: number) => void): void {
  program
    .command('chat')
    .description('talk to an agent; from a pipe: one goal a line, answers to approvals in the lines that follow')
    .argument('<agent>', 'name of an agent')
    .option('--session <name>', 'go on with a conversation: a name of your own, or a session id')
    .option('--yes', 'approve whatever asks for approval')
    .addOption(url())
    .action(async (agent: string, options: ChatOptions) => {
      const { chatCommand } = await import('./commands/chat.ts');
      exit(await chatCommand(agent, options));
    });
  program
    .command('run')
    .description('one goal, from start to answer')
    .argument('<agent>', 'name of an agent')
    .argument('<goal>', 'what it should do, in quotes')
    .option('--session <name>', 'as part of a conversation')
    .option('--yes', 'approve whatever asks for approval')
    .addOption(url())
    .action(async (agent: string, goal: string, options: ChatOptions) => {
      const { runCommand } = await import('./commands/chat.ts');
      exit(await runCommand(agent, goal, options));
    });
  program
    .command('runs')
    .description('what has run, newest first; with an id: that run and its steps')
    .argument('[id]', 'id of a run')
    .option('--session <name>', 'only of this conversation')
    .addOption(
      new Option('--status <status>').choices(['queued', 'running', 'waiting', 'completed', 'failed', 'cancelled']),
    )
    .option('--limit <n>', 'how many', '20')
    .addOption(url())
    .action(async (id: string | undefined, options: RunsOptions) => {
      const { runsCommand } = await import('./commands/runs.ts');
      exit(await runsCommand(id, options));
    });
}

function approvalCommands(program: Command, exit: (code: number) => void): void {
  program
    .command('approvals')
    .description('what waits for a decision, with its exact arguments')
    .option('--all', 'decided ones too')
    .addOption(url())
    .action(async (options: { url?: string; all?: boolean }) => {
      const { approvalsCommand } = await import('./commands/approvals.ts');
      exit(await approvalsCommand(options));
    });
  program
    .command('approve')
    .description('decide an approval')
    .argument('<id>', 'id of an approval')
    .option('--deny', 'say no')
    .option('--reason <text>', 'why; the agent is told')
    .addOption(url())
    .action(async (id: string, options: { url?: string; deny?: boolean; reason?: string }) => {
      const { approveCommand } = await import('./commands/approvals.ts');
      exit(await approveCommand(id, options));
    });
}

function contentCommands(program: Command, exit: (code: number) => void): void {
  program
    .command('apply')
    .description('put a bundle and its documents into the running Tutti; new runs use it from then on')
    .argument('<dir>', 'folder of a bundle')
    .option('--check', 'only look for mistakes; needs no running Tutti')
    .option('--prune', 'remove documents of its collections that the folder does not have')
    .addOption(url())
    .action(async (dir: string, options: { url?: string; check?: boolean; prune?: boolean }) => {
      const { applyCommand } = await import('./commands/apply.ts');
      exit(await applyCommand(dir, options));
    });
  program
    .command('ingest')
    .description('put documents into a collection')
    .argument('<collection>', 'name of the collection')
    .argument('<files...>', 'Markdown or text files')
    .addOption(url())
    .action(async (collection: string, files: string[], options: { url?: string }) => {
      const { ingestCommand } = await import('./commands/apply.ts');
      exit(await ingestCommand(collection, files, options));
    });
  program
    .command('status')
    .description('is Tutti there, is it well, what is in it')
    .addOption(url())
    .action(async (options: { url?: string }) => {
      const { statusCommand } = await import('./commands/status.ts');
      exit(await statusCommand(options));
    });
}
