/** Cron expressions and single moments (croner: pure JavaScript, IANA zones through Intl). */
import { type ScheduleTiming, TuttiError } from '@tutti/contracts';
import { Cron } from 'croner';

/**
 * The first tick after `after` (Unix ms), or null when there is none. Around a change of clocks a local time that does
 * not exist ticks at the end of the gap, and one that comes twice ticks once.
 */
export function nextTick(timing: ScheduleTiming, after: number): number | null {
  if (timing.type === 'once') return timing.at > after ? timing.at : null;
  return parse(timing.cron, timing.timeZone).nextRun(new Date(after))?.getTime() ?? null;
}

/** Throws `invalid_request` that says what is wrong with it. */
export function checkTiming(timing: ScheduleTiming): void {
  if (timing.type === 'once') return;
  try {
    parse(timing.cron, timing.timeZone).nextRun();
  } catch (error) {
    throw new TuttiError(
      'invalid_request',
      `the schedule "${timing.cron}" (${timing.timeZone}) cannot be used: ${(error as Error).message}`,
    );
  }
}

/** Five fields, or six with seconds first. */
function parse(cron: string, timezone: string): Cron {
  return new Cron(cron, { timezone, mode: '5-or-6-parts', paused: true });
}
