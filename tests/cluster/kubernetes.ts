/**
 * A Kubernetes to prove things on: the one of `--kubeconfig`, or else a whole one-node cluster of our own, built from
 * source once (deploy/testing/k8s), started for the proof and ended with it. Root only.
 */
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cacheDir, repositoryRoot } from '@tutti/testkit';
import { has, run } from './commands.ts';
import type { Engine } from './engine.ts';
import { findHelm } from './helm.ts';

const SCRIPTS = join(repositoryRoot, 'deploy/testing/k8s');
const STATE = join(cacheDir, 'kube-state');
const PODS = '10.244.0.0/16';
const NEEDED = ['containerd', 'runc', 'ctr', 'iptables', 'conntrack', 'gcc'];
const BUILD_MS = 7_200_000;
/** The node's address on this machine, which its pods reach the machine by. */
export const NODE_ADDRESS = '198.18.0.1';

export interface Kubernetes {
  kubectl(...args: string[]): Promise<string>;
  apply(manifest: string): Promise<void>;
  helm(...args: string[]): Promise<string>;
  /** From the engine into the node. */
  load(engine: Engine, images: string[]): Promise<void>;
  stop(): Promise<void>;
}

export async function startKubernetes(log: (line: string) => void): Promise<Kubernetes> {
  for (const command of NEEDED)
    if (!(await has(command)))
      throw new Error(
        `there is no ${command}: apt-get install containerd runc containernetworking-plugins iptables conntrack ethtool socat gcc`,
      );
  const bin = join(cacheDir, 'kube');
  if (!existsSync(join(bin, 'metrics-server'))) log('Kubernetes is built from source: 10 minutes on two idle cores');
  await run(join(SCRIPTS, 'get-kube.sh'), [bin], { timeoutMs: BUILD_MS });
  rmSync(STATE, { recursive: true, force: true });
  mkdirSync(STATE, { recursive: true });
  // A container engine on the same machine may have closed the way between pods.
  for (const direction of ['-s', '-d'])
    await run('sh', ['-c', forwarded(direction)]).catch((error: Error) => log(error.message));
  log(await run(join(SCRIPTS, 'cluster-up.sh'), [bin, STATE]).then((text) => text.split('\n')[0] ?? ''));
  return joinKubernetes(log);
}

const forwarded = (direction: string) =>
  `iptables -C FORWARD ${direction} ${PODS} -j ACCEPT 2>/dev/null || iptables -I FORWARD ${direction} ${PODS} -j ACCEPT`;

/** One that is up already. */
export async function joinKubernetes(log: (line: string) => void): Promise<Kubernetes> {
  const helm = await findHelm(log);
  const command = join(cacheDir, 'kube/kubectl');
  const env = { ...process.env, KUBECONFIG: join(STATE, 'kubeconfig') };
  return {
    kubectl: (...args) => run(command, args, { env }),
    async apply(manifest) {
      await run(command, ['apply', '-f', '-'], { env, input: manifest });
    },
    helm: (...args) => run(helm, args, { env }),
    async load(engine, images) {
      const file = join(STATE, 'images.tar');
      await engine.docker('save', '-o', file, ...images);
      await run('ctr', ['-a', join(STATE, 'containerd.sock'), '-n', 'k8s.io', 'images', 'import', file]);
      rmSync(file);
    },
    async stop() {
      await run(join(SCRIPTS, 'cluster-down.sh'), [STATE]).catch((error: Error) => log(error.message));
      // Mounts take a moment to go.
      await sleep(1_000);
      rmSync(STATE, { recursive: true, force: true });
    },
  };
}
