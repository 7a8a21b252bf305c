/** Owns which nats-server versions will do. Used for our own server and for one that NATS_URL names. */
import { TuttiError } from '@tutti/contracts';

/** 2.14 brought message schedules, and it repairs the losses of 2.9. */
export const NATS_SERVER_VERSION_MIN = '2.14.0';

interface Version {
  numbers: [number, number, number];
  prerelease: string;
}

function parseVersion(text: string): Version | undefined {
  const match = /^v?(\d+)\.(\d+)(?:\.(\d+))?(?:-([0-9A-Za-z.-]+))?(?:\+.*)?$/.exec(text.trim());
  if (!match) return undefined;
  return { numbers: [Number(match[1]), Number(match[2]), Number(match[3] ?? 0)], prerelease: match[4] ?? '' };
}

/** Negative when `left` is older. Text that is no version is older than any; a prerelease is older than its release. */
export function compareVersions(left: string, right: string): number {
  const [a, b] = [parseVersion(left), parseVersion(right)];
  if (!a || !b) return Number(a !== undefined) - Number(b !== undefined);
  for (const at of [0, 1, 2] as const) {
    if (a.numbers[at] !== b.numbers[at]) return a.numbers[at] - b.numbers[at];
  }
  if (a.prerelease === b.prerelease) return 0;
  if (!a.prerelease) return 1;
  if (!b.prerelease) return -1;
  return a.prerelease < b.prerelease ? -1 : 1;
}

export function isNewEnough(version: string): boolean {
  return parseVersion(version) !== undefined && compareVersions(version, NATS_SERVER_VERSION_MIN) >= 0;
}

/** "2.14" for people. */
export function versionNeeded(): string {
  return NATS_SERVER_VERSION_MIN.split('.').slice(0, 2).join('.');
}

/** Throws `unavailable` (not retryable) when a server of this version cannot carry Tutti. `version` as in the INFO line. */
export function checkNatsServer(version: string): void {
  if (isNewEnough(version)) return;
  const found = parseVersion(version) ? `version ${version}` : `an unreadable version ("${version}")`;
  throw new TuttiError(
    'unavailable',
    `The NATS server has ${found}; Tutti needs ${versionNeeded()} or newer. ` +
      'Upgrade that server, or point NATS_URL at a newer one, or unset NATS_URL and let Tutti fetch and run its own.',
    { retryable: false, details: { found: version, needed: NATS_SERVER_VERSION_MIN } },
  );
}
