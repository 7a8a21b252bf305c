/** Entry of the `tutti` command: quiet about Node's own experiments, and an exit code for whatever happens. */
import { createProgram } from './program.ts';
import { reportFailure } from './report.ts';

process.removeAllListeners('warning');
process.on('warning', (warning) => {
  if (warning.name !== 'ExperimentalWarning') console.error(`${warning.name}: ${warning.message}`);
});
// whoever read our output has gone: there is nobody left to tell
process.stdout.on('error', () => {});

try {
  await createProgram((code) => {
    process.exitCode = code;
  }).parseAsync();
} catch (error) {
  process.exitCode = reportFailure(error);
}
// into a pipe, what was written last is still on its way
await new Promise<void>((resolve) => process.stdout.write('', () => resolve()));
process.exit();
