/** Ends the fleet when the harness is gone: it reads process ids from stdin, and kills them when stdin ends. */
let text = '';
process.stdin.on('data', (chunk) => {
  text += chunk;
});
process.stdin.on('end', () => {
  for (const pid of text.split('\n').map(Number)) {
    if (!Number.isInteger(pid) || pid <= 1) continue;
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended already.
    }
  }
  process.exit();
});
