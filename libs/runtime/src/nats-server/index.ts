/** Getting and running a nats-server: for `tutti up`, tests and benchmarks. Nothing else of this folder is for others. */
export { type LocatedServer, type LocateOptions, locateNatsServer } from './locate.ts';
export { goSource } from './sources/go.ts';
export { type ReleaseOptions, releaseSource } from './sources/release.ts';
export type { FetchContext, Source, SourceName } from './sources/source.ts';
export { wheelSource } from './sources/wheel.ts';
export { type NatsServer, type NatsServerExit, type StartOptions, startNatsServer } from './start.ts';
export { checkNatsServer, compareVersions, NATS_SERVER_VERSION_MIN } from './version.ts';
