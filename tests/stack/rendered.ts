/** Kubernetes objects as far as the tests look at them, and the tools that make and check them. */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cacheDir } from '@tutti/testkit';

const run = promisify(execFile);
const BUILD_MS = 600_000;

type Labels = Record<string, string>;
interface Probe {
  httpGet?: { path: string; port: string };
}
export interface Container {
  name: string;
  image: string;
  args?: string[];
  command?: string[];
  env?: { name: string; value?: string; valueFrom?: { secretKeyRef?: { name: string; key: string } } }[];
  ports?: { name: string; containerPort: number }[];
  livenessProbe?: Probe;
  readinessProbe?: Probe;
  lifecycle?: { preStop: { sleep: { seconds: number } } };
  securityContext?: object;
}
interface PodSpec {
  containers: Container[];
  automountServiceAccountToken?: boolean;
  securityContext?: object;
  topologySpreadConstraints?: object[];
  terminationGracePeriodSeconds?: number;
  volumes?: { name: string; configMap?: { items?: { key: string; path: string }[] } }[];
}
interface Peer {
  podSelector: { matchLabels: Labels };
}
/** Of all kinds together: each has some of it. */
export interface Rendered {
  kind: string;
  metadata: { name: string; labels: Labels; annotations?: Labels };
  data?: Labels;
  spec: PodSpec & {
    replicas?: number;
    strategy: { rollingUpdate: object };
    selector: { matchLabels: Labels };
    template: { metadata: { labels: Labels }; spec: PodSpec };
    scaleTargetRef: { name: string };
    podSelector: { matchLabels?: Labels; matchExpressions?: { key: string; values: string[] }[] };
    policyTypes?: string[];
    ingress?: { from?: Peer[] }[];
    egress?: { ports?: { port: number }[] }[];
  };
}

/** From PATH or the cache; with `CI` set it is built where Go is to be had. Undefined after a loud line where it is not. */
export async function findTool(name: string, module: string): Promise<string | undefined> {
  const own = join(cacheDir, 'bin', name);
  if (existsSync(own)) return own;
  const onPath = await run('sh', ['-c', `command -v ${name}`]).then(
    ({ stdout }) => stdout.trim(),
    () => undefined,
  );
  if (onPath) return onPath;
  const get = `GOBIN=${join(cacheDir, 'bin')} CGO_ENABLED=0 go install ${module}`;
  if (process.env.CI) {
    mkdirSync(join(cacheDir, 'bin'), { recursive: true });
    await run('sh', ['-c', get], { cwd: tmpdir(), timeout: BUILD_MS }).catch(() => {});
    if (existsSync(own)) return own;
  }
  process.stderr.write(`\n!!! SKIPPED: there is no ${name}, so the chart is not looked at. ${get}\n\n`);
  return undefined;
}

/** What deploy/testing/k8s/make-schemas.sh has made in the cache. */
export function schemasFolder(): string | undefined {
  const folder = join(cacheDir, 'kube-schemas');
  if (existsSync(join(folder, 'crds-strict'))) return folder;
  process.stderr.write(`\n!!! SKIPPED: no schemas of Kubernetes: deploy/testing/k8s/make-schemas.sh ${folder}\n\n`);
  return undefined;
}
