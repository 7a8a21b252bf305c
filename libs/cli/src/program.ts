/** The command line. Each command's work is in a file of its own, loaded when it is used. */
import { Argument, Command, InvalidArgumentError, Option } from 'commander';
import type { CalibrateOptions } from './commands/calibrate.ts';
import type { ChatOptions } from './commands/chat.ts';
import type { RunsOptions } from './commands/runs.ts';

const url = () =>
  new Option('--url <url>', 'where Tutti is (default: TUTTI_URL, else http://127.0.0.1:$TUTTI_PORT or 8080)');
/** Throws what commander shows with the option's name. */
function wholeNumber(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be a whole number from 1.');
}
/** Throws what commander shows with the option's name. */
function shareOf(text: string): number {
  const share = Number(text);
  if (text.trim() !== '' && share > 0 && share <= 1) return share;
  throw new InvalidArgumentError('It must be a share above 0 and up to 1.');
}
const EXAMPLES = `
Examples:
  tutti up                                   start Tutti with the travel example
  tutti chat travel                          talk to it
  tutti run travel "Is Tokyo safe in May?"   one goal
  tutti approvals                            what waits for a human
  tutti input run_… "the blue one"           answers what a run asks
  tutti apply my-bundle                      another bundle into the running Tutti

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no Tutti there, 4 waits for a human, 130 cancelled.`;

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
  journalCommands(program, exit);
  scheduleCommands(program, exit);
  deadLetterCommands(program, exit);
  policyCommands(program, exit);
  switchCommands(program, exit);
  contentCommands(program, exit);
  toolCommands(program, exit);
  operatorCommands(program, exit);
  modelCommands(program, exit);
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
    .description(
      'talk to an agent; from a pipe: one goal a line, answers to questions and approvals in the lines that follow',
    )
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
    .option('--limit <n>', 'how many', wholeNumber, 20)
    .addOption(url())
    .action(async (id: string | undefined, options: RunsOptions) => {
      const { runsCommand } = await import('./commands/runs.ts');
      exit(await runsCommand(id, options));
    });
}

function journalCommands(program: Command, exit: (code: number) => void): void {
  const load = () => import('./commands/journal.ts');
  const run = (command: Command) => command.argument('<run>', 'id of a run').addOption(url());
  run(program.command('input').description('answer what a run asks'))
    .argument('<text>', 'the answer, in quotes')
    .option('--question <id>', 'which question; the one that is open where it is left out')
    .action(async (id: string, text: string, options) => exit(await (await load()).inputCommand(id, text, options)));
  run(program.command('cancel').description('cancel a run and all below it'))
    .option('--reason <text>', 'why')
    .action(async (id: string, options) => exit(await (await load()).cancelCommand(id, options)));
  run(program.command('journal').description("a run's journal, a line an entry"))
    .option('--jsonl', 'the entries as they are stored, as JSON Lines')
    .option('--children', 'those of the runs below it too')
    .action(async (id: string, options) => exit(await (await load()).journalCommand(id, options)));
  run(program.command('state').description('the state of a run, now or after an entry of its journal'))
    .option('--version <n>', 'after this entry', wholeNumber)
    .action(async (id: string, options) => exit(await (await load()).stateCommand(id, options)));
  run(program.command('fork').description('go on otherwise from a version of a run'))
    .requiredOption('--at <version>', 'behind which entry the fork begins', wholeNumber)
    .option('--input <text>', 'another goal')
    .option('--model <name>', 'another model')
    .option('--instructions <file>', 'other instructions')
    .option('--bundle <dir>', "another bundle: its folder, or a stored one's hash")
    .addOption(
      new Option(
        '--effects <what>',
        'calls of its own that change something: ask a human (approve), or refuse',
      ).choices(['approve', 'block']),
    )
    .action(async (id: string, options) => exit(await (await load()).forkCommand(id, options)));
  program
    .command('preflight')
    .description('what would runs have done under this bundle? exit code 1 when one diverges')
    .argument('<dir>', 'folder of a bundle')
    .addOption(new Option('--scope <scope>', 'which runs').choices(['waiting', 'recent']).default('waiting'))
    .option('--limit <n>', 'how many', wholeNumber, 50)
    .option('--all', 'every run of the scope; shows those that are not the same')
    .option('--run <ids...>', 'these runs instead')
    .addOption(url())
    .action(async (dir: string, options) => exit(await (await load()).preflightCommand(dir, options)));
}

function scheduleCommands(program: Command, exit: (code: number) => void): void {
  const load = () => import('./commands/schedules.ts');
  const schedules = program.command('schedules').description('runs that start by themselves');
  schedules
    .command('ls', { isDefault: true })
    .description('what there is')
    .addOption(url())
    .action(async (options) => exit(await (await load()).listSchedules(options)));
  schedules
    .command('set')
    .description('make or change one')
    .argument('<name>', 'its name')
    .argument('<agent>', 'name of an agent')
    .argument('<goal>', 'what it should do, in quotes')
    .option('--cron <expression>', 'five fields, or six with seconds first')
    .option('--zone <zone>', 'IANA time zone of the expression (UTC)')
    .option('--at <moment>', 'once, at this moment (ISO 8601)')
    .option('--session <name>', 'its runs share this conversation')
    .addOption(new Option('--missed <policy>', 'ticks that were missed').choices(['skip', 'catch_up']))
    .addOption(
      new Option('--overlap <policy>', 'while an earlier run goes on').choices(['skip', 'parallel', 'cancel_previous']),
    )
    .option('--paused', 'do not tick for now')
    .addOption(url())
    .action(async (name: string, agent: string, goal: string, options) =>
      exit(await (await load()).setSchedule(name, agent, goal, options)),
    );
  schedules
    .command('rm')
    .description('remove one')
    .argument('<name>', 'its name')
    .addOption(url())
    .action(async (name: string, options) => exit(await (await load()).removeSchedule(name, options)));
}

function deadLetterCommands(program: Command, exit: (code: number) => void): void {
  const load = () => import('./commands/dead.ts');
  const dead = program.command('dead').description('dead letters: what could not be taken in or kept failing');
  dead
    .command('ls', { isDefault: true })
    .description('what there is, newest first')
    .option('--service <name>', 'of this service alone')
    .option('--run <id>', 'of this run alone')
    .option('--before <id>', 'older than this one')
    .option('--limit <n>', 'how many', wholeNumber, 50)
    .addOption(url())
    .action(async (options) => exit(await (await load()).listDead(options)));
  const one = (name: string, description: string) =>
    dead.command(name).description(description).argument('<id>', 'id of a dead letter').addOption(url());
  one('show', 'all of one').action(async (id: string, options) => exit(await (await load()).showDead(id, options)));
  one('resend', 'send it again').action(async (id: string, options) =>
    exit(await (await load()).resendDead(id, options)),
  );
  one('rm', 'remove it').action(async (id: string, options) => exit(await (await load()).removeDead(id, options)));
}

function switchCommands(program: Command, exit: (code: number) => void): void {
  const load = () => import('./commands/switches.ts');
  const what = () => new Argument('<what>', 'what it is').choices(['tool', 'agent', 'tenant', 'all']);
  for (const [name, stopped, description] of [
    ['stop', true, 'the kill switch: no run, model call or tool call from now on'],
    ['release', false, 'let go on what was stopped'],
  ] as const)
    program
      .command(name)
      .description(description)
      .addArgument(what())
      .argument('[name]', 'of the tool or agent')
      .option('--reason <text>', 'why; those who are refused are told')
      .addOption(url())
      .action(async (kind: string, of: string | undefined, options) =>
        exit(await (await load()).setSwitch(kind, of, stopped, options)),
      );
  program
    .command('switches')
    .description('what is stopped, by whom and why')
    .option('--all', 'every decision that is remembered')
    .addOption(url())
    .action(async (options: { url?: string; all?: boolean }) => exit(await (await load()).listSwitches(options)));
}

function approvalCommands(program: Command, exit: (code: number) => void): void {
  program
    .command('undo')
    .description('what a run that ended early has left behind; with --yes: undo it')
    .argument('<run>', 'id of a run')
    .option('--yes', 'undo all that is known to have happened')
    .option('--call <ids...>', 'undo these')
    .addOption(url())
    .action(async (id: string, options: { url?: string; yes?: boolean; call?: string[] }) => {
      const { undoCommand } = await import('./commands/undo.ts');
      exit(await undoCommand(id, options));
    });
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
    .option('--arguments <json>', 'say yes to these arguments instead')
    .option('--seen <hash>', 'of the arguments that were looked at (argumentsHash): refused when they have changed')
    .addOption(url())
    .action(async (id: string, options) => {
      const { approveCommand } = await import('./commands/approvals.ts');
      exit(await approveCommand(id, options));
    });
}

function policyCommands(program: Command, exit: (code: number) => void): void {
  const policy = program.command('policy').description('what policies decide, and what they decided');
  policy
    .command('test')
    .description("run a bundle's policy test cases (policies/tests/*.yaml); needs no running Tutti")
    .argument('[dir]', 'folder of a bundle', '.')
    .action(async (dir: string) => {
      const { policyTestCommand } = await import('./commands/policy.ts');
      exit(await policyTestCommand(dir));
    });
  policy
    .command('explain')
    .description('which policies decided about a call, and what had led to it')
    .argument('<call>', 'id of a call, as a journal shows it')
    .option('--run <id>', 'the run that made it; looked for where it is left out')
    .addOption(url())
    .action(async (call: string, options: { url?: string; run?: string }) => {
      const { policyExplainCommand } = await import('./commands/policy.ts');
      exit(await policyExplainCommand(call, options));
    });
}

function operatorCommands(program: Command, exit: (code: number) => void): void {
  program
    .command('provision')
    .description('make the streams, buckets and settings of a bus, or check them; refuses what would lose data')
    .option('--check', 'change nothing; exit code 1 when something is missing or different')
    .option('--wait <seconds>', 'for a bus that is not there yet', wholeNumber)
    .addHelpText(
      'after',
      '\nVariables: NATS_URL, TUTTI_NATS_USER, TUTTI_NATS_PASSWORD, TUTTI_PARTITIONS, TUTTI_LOG_STREAMS, TUTTI_NATS_REPLICAS.',
    )
    .action(async (options: { check?: boolean; wait?: number }) => {
      const { provisionCommand } = await import('./commands/provision.ts');
      exit(await provisionCommand(options));
    });
  program
    .command('bundle-values')
    .description('the files of a bundle as values of the Helm chart')
    .argument('<dir>', 'folder of a bundle')
    .action(async (dir: string) => {
      const { bundleValuesCommand } = await import('./commands/bundle-values.ts');
      exit(await bundleValuesCommand(dir));
    });
}

function toolCommands(program: Command, exit: (code: number) => void): void {
  const load = () => import('./commands/tools.ts');
  const tools = program.command('tools').description('tool sources: what they offer, and what is withheld');
  tools
    .command('ls', { isDefault: true })
    .description('every tool of the current bundle')
    .addOption(url())
    .action(async (options) => exit(await (await load()).listTools(options)));
  tools
    .command('review')
    .description('what MCP servers describe otherwise than it was approved; exit code 1 when there is something')
    .addOption(url())
    .action(async (options) => exit(await (await load()).reviewTools(options)));
  tools
    .command('approve')
    .description('show what is withheld of a source, and approve it as it is shown')
    .argument('<source>', 'name of a tool source')
    .argument('[tools...]', 'only these')
    .addOption(url())
    .action(async (source: string, names: string[], options) =>
      exit(await (await load()).approveTools(source, names, options)),
    );
  tools
    .command('pins')
    .description('what a source offers now, as a file for its `pins`')
    .argument('<source>', 'name of a tool source')
    .addOption(url())
    .action(async (source: string, options) => exit(await (await load()).printPins(source, options)));
  tools
    .command('login')
    .description('log in to an MCP server in a browser, for a refresh token')
    .argument('<server>', 'URL of the MCP server')
    .option('--client-id <id>', 'a client that is registered there')
    .option('--client-secret <secret>', 'its secret')
    .option('--port <n>', 'of the page that the browser comes back to', wholeNumber)
    .action(async (server: string, options) => {
      const { loginCommand } = await import('./commands/login.ts');
      exit(await loginCommand(server, options));
    });
}

function contentCommands(program: Command, exit: (code: number) => void): void {
  program
    .command('apply')
    .description('put a bundle and its documents into the running Tutti; new runs use it from then on')
    .argument('<dir>', 'folder of a bundle')
    .option('--check', 'only look for mistakes; needs no running Tutti')
    .option('--prune', 'remove documents of its collections that the folder does not have')
    .option('--wait <seconds>', 'for a Tutti that is not ready yet', wholeNumber)
    .addOption(url())
    .action(async (dir: string, options: { url?: string; check?: boolean; prune?: boolean; wait?: number }) => {
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

function modelCommands(program: Command, exit: (code: number) => void): void {
  const load = () => import('./commands/usage.ts');
  program
    .command('usage')
    .description('what was used, a row for each day, agent and model, and what budgets stand at')
    .option('--days <n>', 'how many days, today included', wholeNumber, 1)
    .option('--session <id>', 'the budgets of this session too')
    .option('--run <id>', 'the budgets of this run too')
    .option('--json', 'as JSON')
    .addOption(url())
    .action(async (options) => exit(await (await load()).usageCommand(options)));
  calibrateCommand(program, exit);
  program
    .command('prompt')
    .description('a prompt of the current bundle, as it renders')
    .argument('<name>', 'name of a prompt')
    .option('--value <name=value...>', 'what fills its placeholders', [])
    .option('--locale <locale>', 'its variant for a language (de, de-AT)')
    .addOption(url())
    .action(async (name: string, options) => exit(await (await load()).promptCommand(name, options)));
}

function calibrateCommand(program: Command, exit: (code: number) => void): void {
  program
    .command('calibrate')
    .description(
      "which weights and thresholds serve `auto` best: from labelled asks, from runs, or from Tutti's own set",
    )
    .argument(
      '[files...]',
      'labelled asks as JSON Lines; with --journal: journals, as `tutti journal RUN --jsonl` prints them',
    )
    .option('--journal', 'the files are journals')
    .option('--runs <n>', 'the newest runs of a Tutti, and those below them', wholeNumber)
    .option(
      '--judged <file>',
      'what somebody says of calls and runs of journals, as JSON Lines: {"run": "run_…", "right": false}',
    )
    .option(
      '--ask <n>',
      "have the bundle's models answer so many asks of each kind of Tutti's own set, and check them",
      wholeNumber,
    )
    .option('--bundle <dir>', "the bundle whose models' tiers and prices count")
    .addOption(
      new Option('--quality <share>', 'of what the best model gets right (0.97)')
        .argParser(shareOf)
        .conflicts('budget'),
    )
    .option('--budget <share>', 'of what the best model costs, in place of a quality', shareOf)
    .option('--seed <n>', 'of the folds, and of the own set', wholeNumber)
    .option('--svg <file>', 'draw cost against quality into this file')
    .option('--rows <file>', 'write the labelled asks that were used into this file')
    .addOption(url())
    .addHelpText('after', '\nDescribed in docs/calibration.md.')
    .action(async (files: string[], options: CalibrateOptions) => {
      const { calibrateCommand: run } = await import('./commands/calibrate.ts');
      exit(await run(files, options));
    });
}
