/** What is done to Tutti on a cluster while it is under load. */
import { setTimeout as sleep } from 'node:timers/promises';
import { SERVICES } from '@tutti/contracts';
import { until } from '@tutti/testkit';
import type { Load } from '../crash/load.ts';
import { RELEASE, type Tutti } from './install.ts';
import type { Kubernetes } from './kubernetes.ts';
import type { Proof } from './proof.ts';

const ROLLOUT = '600s';
const GAP_MS = [1_000, 5_000] as const;
/** Of all deletions, so many give no time to stop: as when a node is gone. */
const FORCED = 0.5;
const SCALE_MS = 300_000;
const POLL_MS = 1_000;
const HEAVY_AT_ONCE = 16;
const LIGHT_AT_ONCE = 1;
/** Of what a replica of tools asks for, here 20m: it takes about half of this when idle, and several times as much with the heavy load. */
const HPA_PERCENT = 120;

export interface DisturbOptions {
  proof: Proof;
  kubernetes: Kubernetes;
  tutti: Tutti;
  chance(): number;
  atOnce: number;
  deletions: number;
  log(line: string): void;
}

export async function disturb(options: DisturbOptions): Promise<void> {
  const { proof, kubernetes, tutti, chance, atOnce, deletions, log } = options;
  const { kubectl } = kubernetes;
  const deployment = (service: string) => `deployment/${RELEASE}-${service}`;
  const settled = (service: string) => kubectl('rollout', 'status', deployment(service), `--timeout=${ROLLOUT}`);

  async function restart(service: string): Promise<void> {
    await kubectl('rollout', 'restart', deployment(service));
    await settled(service);
  }
  async function scale(service: string, replicas: number): Promise<void> {
    await kubectl('scale', deployment(service), `--replicas=${replicas}`);
    await settled(service);
    const pods = async () => (await podsOf(kubernetes, service)).length === replicas;
    await until(`${replicas} of ${service}`, pods, SCALE_MS);
  }

  const load = proof.load(atOnce);
  await proof.phase('nothing', () => sleep(10_000));
  for (const service of SERVICES) await proof.phase(`rolling restart of ${service}`, () => restart(service));
  await proof.phase('planners 2 → 1 → 3 → 1 → 2', async () => {
    for (const replicas of [1, 3, 1, 2]) {
      await scale('planner', replicas);
      await sleep(GAP_MS[1]);
    }
  });
  await proof.phase(`${deletions} pods deleted at random`, async () => {
    for (let i = 0; i < deletions; i++) {
      const pods = (await Promise.all(SERVICES.map((service) => podsOf(kubernetes, service)))).flat();
      const pod = pods[Math.floor(chance() * pods.length)]!;
      const forced = chance() < FORCED;
      log(`  ${pod} ${forced ? 'at once' : 'with time to stop'}`);
      await kubectl('delete', 'pod', pod, '--wait=false', ...(forced ? ['--grace-period=0', '--force'] : []));
      await sleep(GAP_MS[0] + chance() * (GAP_MS[1] - GAP_MS[0]));
    }
    for (const service of SERVICES) await settled(service);
  });
  await proof.phase('the NATS pod deleted, and once more at once', async () => {
    for (const how of [[], ['--grace-period=0', '--force']]) {
      await kubectl('delete', 'pod', `${RELEASE}-nats-0`, ...how);
      await kubectl('rollout', 'status', `statefulset/${RELEASE}-nats`, `--timeout=${ROLLOUT}`);
      await sleep(GAP_MS[1]);
    }
  });
  await proof.phase('the MongoDB pod deleted', async () => {
    await kubectl('delete', 'pod', `${RELEASE}-mongodb-0`);
    await kubectl('rollout', 'status', `statefulset/${RELEASE}-mongodb`, `--timeout=${ROLLOUT}`);
  });
  // Its figures come a while after the node.
  await until('metrics of pods', () => kubectl('top', 'pods').then(Boolean), SCALE_MS);
  await proof.phase('an HPA scales tools up and down', () => autoscale(options, load));
  proof.load(atOnce);
  await proof.phase('helm upgrade of everything at once', () => tutti.upgrade({ logLevel: 'warn' }));
}

/** Up under a heavy load; down again while one client goes on. */
async function autoscale({ proof, kubernetes, tutti, log }: DisturbOptions, load: Load): Promise<void> {
  const behavior = { scaleDown: { stabilizationWindowSeconds: 15 }, scaleUp: { stabilizationWindowSeconds: 0 } };
  await tutti.upgrade({
    tools: { autoscaling: { kind: 'hpa', min: 1, max: 4, cpuPercent: HPA_PERCENT, behavior } },
  });
  const count = async () =>
    Number(await kubernetes.kubectl('get', `deployment/${RELEASE}-tools`, '-o', 'jsonpath={.spec.replicas}'));
  const when = async (good: (now: number) => boolean) => {
    await sleep(POLL_MS);
    const now = await count();
    return good(now) ? now : null;
  };
  const heavy = proof.load(HEAVY_AT_ONCE);
  const most = await until('the HPA to scale up', () => when((now) => now > 2), SCALE_MS);
  log(`  up to ${most} under load`);
  proof.load(LIGHT_AT_ONCE);
  await Promise.all([heavy.finish(SCALE_MS), load.finish(SCALE_MS)]);
  const least = await until('the HPA to scale down', () => when((now) => now < most), SCALE_MS);
  log(`  down to ${least} again`);
}

interface Pod {
  metadata: { name: string; deletionTimestamp?: string };
  status: { phase: string };
}

async function podsOf(kubernetes: Kubernetes, service: string): Promise<string[]> {
  const labels = `app.kubernetes.io/instance=${RELEASE},app.kubernetes.io/component=${service}`;
  const { items } = JSON.parse(await kubernetes.kubectl('get', 'pods', '-l', labels, '-o', 'json')) as { items: Pod[] };
  return items
    .filter(({ metadata, status }) => !metadata.deletionTimestamp && status.phase === 'Running')
    .map(({ metadata }) => metadata.name);
}
