import { expect, test } from 'vitest';
import { checkNatsServer, compareVersions } from './version.ts';

test.each(['2.14.0', '2.14', 'v2.15.2', '2.15.0-RC.1', '2.100.0', '3.0.0', '2.14.1-dev', '2.14.0+build.7'])(
  '%s will do',
  (version) => {
    expect(() => checkNatsServer(version)).not.toThrow();
  },
);

test.each(['2.13.9', '2.9.10', '1.4.1', '2.14.0-RC.2'])('%s is too old, and the message says what to do', (version) => {
  expect(() => checkNatsServer(version)).toThrowError(
    expect.objectContaining({
      code: 'unavailable',
      retryable: false,
      message: expect.stringMatching(new RegExp(`${version}; Tutti needs 2\\.14 or newer\\. Upgrade .*NATS_URL`)),
    }),
  );
});

test.each(['', 'latest', '2'])('"%s" is no version', (version) => {
  expect(() => checkNatsServer(version)).toThrowError(/unreadable version/);
});

test('versions are ordered by number, a prerelease before its release', () => {
  const sorted = ['2.15.2', '2.9.10', '2.15.0', '2.15.0-RC.1', '2.100.0'].sort(compareVersions);
  expect(sorted).toEqual(['2.9.10', '2.15.0-RC.1', '2.15.0', '2.15.2', '2.100.0']);
});
