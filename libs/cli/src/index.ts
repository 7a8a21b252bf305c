export { bundleUri, HelperServer, type LoadedBundle, loadBundle } from './bundle/load.ts';
export type { Overview } from './up/banner.ts';
export { type RunningTutti, type UpOptions, up } from './up/up.ts';
