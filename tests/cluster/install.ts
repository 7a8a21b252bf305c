/** The chart, installed as an operator would: with its own NATS and MongoDB on volumes, the travel example from a ConfigMap, and a Jaeger beside it. */
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { repositoryRoot, until } from '@tutti/testkit';
import { run } from './commands.ts';
import { IMAGES } from './engine.ts';
import { type Kubernetes, NODE_ADDRESS } from './kubernetes.ts';

export const RELEASE = 'tutti';
const CHART = join(repositoryRoot, 'deploy/helm/tutti');
const CLI = join(repositoryRoot, 'libs/cli/bin/tutti.js');
const TRAVEL = join(repositoryRoot, 'examples/travel');
const GATEWAY_PORT = 30080;
const JAEGER_PORT = 30686;
const HELM_WAIT = '10m';
const READY_MS = 120_000;
/** As many as the chart has by default. */
const ROUTERS = 2;

export interface Tutti {
  url: string;
  jaegerUrl: string;
  /** An upgrade to what is said anew; everything else stays. */
  upgrade(values: Record<string, unknown>): Promise<void>;
  /** Another model for the router. */
  useModel(url: string): Promise<void>;
  /** Pods, events and the ends of logs, for whoever looks into it. */
  state(): Promise<string>;
  /** What is left on this machine. */
  clean(): void;
}

export async function installTutti(kubernetes: Kubernetes, log: (line: string) => void): Promise<Tutti> {
  await removeTutti(kubernetes);
  for (const name of VOLUME_NAMES) {
    mkdirSync(folderOf(name), { recursive: true });
    // Whoever the pod's user is.
    chmodSync(folderOf(name), 0o777);
  }
  await kubernetes.apply(VOLUME_NAMES.map(volume).join('\n'));
  await kubernetes.apply(JAEGER);
  // What comes later is said over what was said before.
  const files: string[] = [];
  const withValues = async (command: string, more: string) => {
    files.push(join(FOLDER, `values-${files.length}.yaml`));
    writeFileSync(files.at(-1)!, more);
    const all = files.flatMap((file) => ['-f', file]);
    await kubernetes.helm(command, RELEASE, CHART, ...all, '--wait', '--timeout', HELM_WAIT);
  };
  const startedAt = Date.now();
  files.push(join(FOLDER, 'bundle.yaml'));
  writeFileSync(files[0]!, await run(process.execPath, [CLI, 'bundle-values', TRAVEL]));
  await withValues('install', JSON.stringify(VALUES));
  log(`helm install --wait: ${((Date.now() - startedAt) / 1_000).toFixed(1)} s`);
  log(`helm test: ${/Phase:\s+(\w+)/.exec(await kubernetes.helm('test', RELEASE))?.[1]}`);
  const tutti: Tutti = {
    url: `http://127.0.0.1:${GATEWAY_PORT}`,
    jaegerUrl: `http://127.0.0.1:${JAEGER_PORT}`,
    async upgrade(more) {
      await withValues('upgrade', JSON.stringify(more));
    },
    async useModel(url) {
      // The bundle of the proof stays what it is: no upgrade puts the travel example back.
      await tutti.upgrade({
        bundle: { enabled: false },
        // The shop is on this machine, and so on no public address.
        tools: { env: { TUTTI_TOOLS_PRIVATE_NETWORKS: NODE_ADDRESS } },
        router: {
          // A model that cannot be reached is tried again: an answer of the offline model would not be the one that is waited for.
          env: { OPENAI_BASE_URL: url, OPENAI_API_KEY: 'none', TUTTI_MODEL: 'crash', TUTTI_OFFLINE_FALLBACK: 'false' },
        },
      });
      // Those with the other model may still answer while they stop.
      const old = ['get', 'pods', '-l', `app.kubernetes.io/instance=${RELEASE},app.kubernetes.io/component=router`];
      const names = async () => (await kubernetes.kubectl(...old, '-o', 'name')).split('\n').filter(Boolean);
      await until('old routers to be gone', async () => (await names()).length === ROUTERS, READY_MS);
    },
    async state() {
      const ask = (...args: string[]) => kubernetes.kubectl(...args).catch((error: Error) => error.message);
      const pods = await ask('get', 'pods', '-o', 'wide');
      const events = await ask('get', 'events', '--sort-by=.lastTimestamp');
      const logs = await ask('logs', '-l', `app.kubernetes.io/instance=${RELEASE}`, '--tail=15', '--prefix');
      return [pods, events.split('\n').slice(-40).join('\n'), logs].join('\n\n');
    },
    clean: () => rmSync(FOLDER, { recursive: true, force: true }),
  };
  await until('the gateway', () => fetch(`${tutti.url}/readyz`).then(({ ok }) => ok), READY_MS);
  return tutti;
}

/** What an earlier proof has left on a cluster that is used again. */
async function removeTutti(kubernetes: Kubernetes): Promise<void> {
  await kubernetes.helm('uninstall', RELEASE, '--wait', '--ignore-not-found');
  const all = ['--all', '--ignore-not-found', '--timeout=120s'];
  await kubernetes.kubectl('delete', 'jobs,pvc', ...all);
  await kubernetes.kubectl('delete', 'pv', ...all);
}

const FOLDER = join(tmpdir(), `tutti-cluster-${process.pid}`);
const VOLUME_NAMES = ['nats', 'mongodb'];
const folderOf = (name: string) => join(FOLDER, name);
const persistence = (name: string) => ({ size: '1Gi', storageClass: '', selector: { matchLabels: { volume: name } } });
const VALUES = {
  partitions: 8,
  otlpEndpoint: 'http://jaeger:4318',
  auth: { open: true },
  example: { enabled: true },
  nats: { persistence: persistence('nats'), resources: { requests: { cpu: '50m', memory: '128Mi' } } },
  mongodb: { persistence: persistence('mongodb'), resources: { requests: { cpu: '50m', memory: '128Mi' } } },
  gateway: { service: { type: 'NodePort', nodePort: GATEWAY_PORT } },
  // The node is small, and the limits are for real.
  defaults: { replicas: 2, resources: { requests: { cpu: '20m', memory: '96Mi' }, limits: { memory: '512Mi' } } },
  planner: { resources: { requests: { cpu: '20m', memory: '128Mi' }, limits: { memory: '1Gi' } } },
  memory: { resources: { requests: { cpu: '20m', memory: '128Mi' }, limits: { memory: '1Gi' } } },
  retriever: { resources: { requests: { cpu: '20m', memory: '128Mi' }, limits: { memory: '1Gi' } } },
};

/** There is nobody here who makes volumes: folders of the node. */
const volume = (name: string) => `
apiVersion: v1
kind: PersistentVolume
metadata: { name: ${name}, labels: { volume: ${name} } }
spec:
  capacity: { storage: 1Gi }
  accessModes: [ReadWriteOnce]
  storageClassName: ''
  hostPath: { path: '${folderOf(name)}' }
---`;

const JAEGER = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: jaeger }
spec:
  selector: { matchLabels: { app: jaeger } }
  template:
    metadata: { labels: { app: jaeger } }
    spec:
      containers:
        - { name: jaeger, image: '${IMAGES.jaeger}', imagePullPolicy: IfNotPresent }
---
apiVersion: v1
kind: Service
metadata: { name: jaeger }
spec:
  type: NodePort
  selector: { app: jaeger }
  ports:
    - { name: otlp, port: 4318 }
    - { name: query, port: 16686, nodePort: ${JAEGER_PORT} }
`;
