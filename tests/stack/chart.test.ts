/**
 * The chart under every kind of values in its ci/ folder: it renders, each object is what Kubernetes, KEDA and the Prometheus
 * operator know, and what it says about services is what their own code says. helm and the schemas are fetched once, pinned;
 * where they cannot be had, all of this is skipped loudly, and in CI it fails.
 */
import { execFile } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { SERVICES, VERBS } from '@tutti/contracts';
import { repositoryRoot } from '@tutti/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { createProgram } from '../../libs/cli/src/program.ts';
import { IMAGES } from '../cluster/engine.ts';
import { findHelm } from '../cluster/helm.ts';
import { isService, metricLabels, problemsOf } from './configs.ts';
import type { Container, Rendered } from './rendered.ts';
import { type Check, KUBERNETES, loadSchemas } from './schemas.ts';

const run = promisify(execFile);
const chart = join(repositoryRoot, 'deploy/helm/tutti');
const kinds = globSync('*-values.yaml', { cwd: join(chart, 'ci') }).map((file) => basename(file, '-values.yaml'));
const helm = await orSkipped(() => findHelm((line) => process.stderr.write(`${line}\n`)));
const problemsWith = helm ? await orSkipped(loadSchemas) : undefined;

/** Undefined after a loud line; in CI nothing of this may be left out. */
async function orSkipped<T>(get: () => Promise<T>): Promise<T | undefined> {
  try {
    return await get();
  } catch (error) {
    if (process.env.CI) throw error;
    process.stderr.write(`\n!!! SKIPPED: the chart is not looked at. ${(error as Error).message}\n\n`);
    return undefined;
  }
}

/** What stands in a Secret that an operator brings. */
const FROM_SECRETS: Record<string, string> = {
  TUTTI_API_KEYS: 'k-0123456789abcdef0123456789abcdef:default',
  TUTTI_API_KEY: 'k-0123456789abcdef0123456789abcdef',
  MONGODB_URL: 'mongodb://mongo:27017/tutti',
  TUTTI_NATS_USER: 'tutti',
  TUTTI_NATS_PASSWORD: 'secret',
};
/** Of Kubernetes. A helm that was built by hand knows none. */
const VERSION = ['--kube-version', KUBERNETES];
/** All that the chart makes. */
const KINDS = [
  'ConfigMap',
  'Deployment',
  'HorizontalPodAutoscaler',
  'Ingress',
  'Job',
  'NetworkPolicy',
  'PersistentVolumeClaim',
  'Pod',
  'PodDisruptionBudget',
  'PodMonitor',
  'PrometheusRule',
  'ScaledObject',
  'Secret',
  'Service',
  'ServiceAccount',
  'StatefulSet',
];
const SECRET_NAME = /(KEYS?|PASSWORD|SECRET|TOKEN)$/;
/** Drain, the last spans, and closing. */
const STOP_SECONDS = 10 + 5 + 5;

let folder: string;
const rendered = new Map<string, Rendered[]>();
async function template(...args: string[]): Promise<string> {
  const { stdout } = await run(helm!, ['template', 'tutti', chart, ...VERSION, ...args], { maxBuffer: 20_000_000 });
  return stdout;
}
const fails = (...args: string[]) =>
  template(...args).then(
    () => 'it was rendered',
    (error: { stderr: string }) => error.stderr,
  );

describe.skipIf(!helm)('the chart', () => {
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'tutti-chart-'));
    for (const kind of kinds) {
      const text = await template('-f', join(chart, `ci/${kind}-values.yaml`));
      writeFileSync(join(folder, `${kind}.yaml`), text);
      const objects = parseAllDocuments(text).map((document) => document.toJS() as Rendered | null);
      rendered.set(
        kind,
        objects.filter((object) => object !== null),
      );
    }
  });
  afterAll(() => folder && rmSync(folder, { recursive: true }));

  const all = () => [...rendered.values()].flat();
  const of = (kind: string, what: string) => rendered.get(kind)!.filter((object) => object.kind === what);
  const podsOf = (objects: Rendered[]) =>
    objects.flatMap((object) => {
      const pod = object.kind === 'Pod' ? object.spec : object.spec?.template?.spec;
      return pod ? [{ name: object.metadata.name, object, pod }] : [];
    });

  test('there is a default, a minimal, a highly available one and one without KEDA', () => {
    expect(kinds.toSorted()).toEqual(['default', 'ha', 'minimal', 'no-keda']);
    for (const kind of kinds) expect(of(kind, 'Deployment').length).toBeGreaterThanOrEqual(SERVICES.length);
  });

  test.each(kinds)('%s: helm lint has nothing to say', async (kind) => {
    const { stdout } = await run(helm!, [
      'lint',
      '--strict',
      chart,
      ...VERSION,
      '-f',
      join(chart, `ci/${kind}-values.yaml`),
    ]);
    expect(stdout).toContain('0 chart(s) failed');
  });

  describe.skipIf(!problemsWith)('every object', () => {
    const check: Check = (object) => problemsWith!(object);

    test.each(kinds)('%s: fits the schemas of Kubernetes, KEDA and the Prometheus operator, strictly', (kind) => {
      expect(rendered.get(kind)!.flatMap(check)).toEqual([]);
    });

    test('of every kind would be found out with a field that nobody knows, or a value of another type', () => {
      const one = new Map(all().map((object) => [object.kind, object]));
      expect([...one.keys()].toSorted()).toEqual(KINDS);
      for (const object of one.values()) {
        expect(check({ ...object, unknown: 1 } as Rendered).join(), object.kind).toMatch(
          /additional properties.*unknown/,
        );
        expect(check({ ...object, apiVersion: 'v0' }).join()).toMatch(/no schema of v0/);
        expect(check({ ...object, metadata: 7 } as unknown as Rendered).join(), object.kind).toMatch(/must be object/);
        if (!object.spec) continue;
        expect(check({ ...object, spec: { ...object.spec, unknown: 1 } } as Rendered).join()).toMatch(/unknown/);
        expect(check({ ...object, spec: 7 } as unknown as Rendered).join(), object.kind).toMatch(/must be object/);
      }
    });
  });

  describe('says what the code says', () => {
    const environmentOf = (container: Container) =>
      Object.fromEntries(
        (container.env ?? []).map(({ name, value, valueFrom }) => [
          name,
          value ?? FROM_SECRETS[valueFrom?.secretKeyRef?.key ?? ''] ?? 'x',
        ]),
      );

    test.each(kinds)('%s: variables are known to the service that gets them, with values that it takes', (kind) => {
      const containers = podsOf(rendered.get(kind)!).flatMap(({ pod }) => pod.containers);
      const ours = containers.filter(({ name }) => isService(name) || name === 'provision');
      expect(ours.length).toBeGreaterThanOrEqual(SERVICES.length);
      for (const container of ours)
        expect(problemsOf(container.name as 'gateway' | 'provision', environmentOf(container))).toEqual([]);
    });

    test('a service is chosen by its name, and other commands are the command line’s', () => {
      const commands = createProgram(() => {}).commands.map((command) => command.name());
      for (const { pod } of podsOf(all()))
        for (const { name, image, args, command } of pod.containers) {
          if (!image.startsWith('tutti:')) continue;
          if (command) expect(existsSync(join(repositoryRoot, command[1]!.replace('/tutti/', '')))).toBe(true);
          else if (isService(name)) expect(args).toEqual([name]);
          else expect(commands).toContain(args![0]);
        }
    });

    test('ports are those that the variables name, and probes ask what is served there', () => {
      for (const { pod } of podsOf(all()))
        for (const container of pod.containers.filter(({ name }) => isService(name))) {
          const env = environmentOf(container);
          const ports = Object.fromEntries(
            (container.ports ?? []).map((port) => [port.name, String(port.containerPort)]),
          );
          expect(ports).toEqual({
            health: env.TUTTI_HEALTH_PORT,
            ...(container.name === 'gateway' ? { http: env.TUTTI_PORT } : {}),
          });
          // Liveness never asks what a service depends on.
          expect(container.livenessProbe!.httpGet).toEqual({ path: '/healthz', port: 'health' });
          expect(container.readinessProbe!.httpGet).toEqual({ path: '/readyz', port: 'health' });
        }
    });

    const queries = (kind: string) =>
      of('ha', kind)
        .flatMap((object) => [...JSON.stringify(object).matchAll(/"(?:query|expr)":"((?:[^"\\]|\\.)*)"/g)])
        .map((match) => JSON.parse(`"${match[1]}"`) as string);

    test('metrics that autoscalers and alerts ask for are told, by the labels that they have', () => {
      const labels = metricLabels();
      const all = [...queries('ScaledObject'), ...queries('PrometheusRule')];
      expect(all.length).toBeGreaterThan(20);
      const asked = all.flatMap((query) =>
        [...query.matchAll(/\b([a-z_]+)\{([^}]*)\}/g)].map((match) => match.slice(1)),
      );
      for (const [metric = '', selectors = ''] of asked) {
        const known = labels.get(metric) ?? labels.get(metric.replace(/_(bucket|sum|count)$/, ''));
        expect(known, metric).toBeDefined();
        const names = [...selectors.matchAll(/([a-z_]+)=/g)].map((match) => match[1]!);
        expect(['namespace', 'pod', ...known!], `${metric}{${selectors}}`).toEqual(expect.arrayContaining(names));
        // Of this release alone.
        expect(selectors).toMatch(/namespace="default", ?pod=~"tutti-/);
      }
      // No metric is asked for without saying of whom.
      const names = [...labels.keys()].filter((name) => name.includes('_'));
      for (const query of all) {
        const bare = query.replace(/[a-z_]+\{[^}]*\}/g, '');
        expect(
          names.filter((name) => new RegExp(`\\b${name}\\b`).test(bare)),
          query,
        ).toEqual([]);
      }
    });

    test('planners are scaled by how far they lag; workers by what is under way, refused and held back for them', () => {
      for (const name of SERVICES) {
        const [object] = of('ha', 'ScaledObject').filter(({ metadata }) => metadata.name === `tutti-${name}`);
        const text = JSON.stringify(object);
        if (name === 'gateway') expect(text).toContain('"type":"cpu"');
        else if (name === 'planner') expect(text).toContain('sum(tutti_planner_lag{');
        else {
          expect(text).toMatch(/tutti_requests_in_flight.*tutti_requests_total.*refused.*tutti_dispatch_held_back/);
          const verbs = /verb=~\\"([a-zA-Z|]+)\\"/.exec(text)?.[1]?.split('|').toSorted();
          const own = Object.values(VERBS).filter(({ service }) => service === name);
          expect(verbs, name).toEqual(own.map(({ verb }) => verb).toSorted());
        }
      }
    });

    test('alerts are those of prometheus-rules.yaml, about the partitions that there are', async () => {
      const file = parse(readFileSync(join(chart, 'prometheus-rules.yaml'), 'utf8')) as {
        groups: { rules: { alert: string }[] }[];
      };
      const [object] = of('ha', 'PrometheusRule');
      const { groups } = object!.spec as unknown as typeof file;
      const alerts = (list: typeof groups) => list.flatMap(({ rules }) => rules.map(({ alert }) => alert));
      expect(alerts(groups)).toEqual(alerts(file.groups));
      expect(queries('PrometheusRule').find((query) => query.includes('tutti_planner_epoch'))).toMatch(/< 16$/);
      const values = ['-f', join(chart, 'ci/ha-values.yaml'), '-s', 'templates/monitoring.yaml'];
      expect(await template(...values, '--set', 'partitions=48')).toMatch(/tutti_planner_epoch\{[^}]*\}\)\)\s+< 48/);
    });

    test('images are those that are proven, in the version of the chart', () => {
      const { appVersion } = parse(readFileSync(join(chart, 'Chart.yaml'), 'utf8')) as { appVersion: string };
      const { version } = JSON.parse(readFileSync(join(repositoryRoot, 'package.json'), 'utf8')) as { version: string };
      expect(appVersion).toBe(version);
      for (const { pod } of podsOf(all()))
        for (const { image } of pod.containers) expect(Object.values(IMAGES)).toContain(image);
    });
  });

  test('each service has its own replicas or autoscaler, a budget for disruptions, and time to stop', () => {
    for (const kind of kinds)
      for (const name of SERVICES) {
        const deployment = of(kind, 'Deployment').find(({ metadata }) => metadata.name === `tutti-${name}`)!;
        const scalers = [...of(kind, 'HorizontalPodAutoscaler'), ...of(kind, 'ScaledObject')];
        const scaler = scalers.find(({ spec }) => spec.scaleTargetRef.name === deployment.metadata.name);
        expect(scaler === undefined, `${kind} ${name}`).toBe(deployment.spec.replicas !== undefined);
        const labels = deployment.spec.template.metadata.labels;
        const budget = of(kind, 'PodDisruptionBudget').find(
          ({ metadata }) => metadata.name === deployment.metadata.name,
        )!;
        expect(labels).toMatchObject(budget.spec.selector.matchLabels);
        expect(labels).toMatchObject(deployment.spec.selector.matchLabels);
        const pod = deployment.spec.template.spec;
        expect(pod.topologySpreadConstraints).toHaveLength(2);
        const preStop = pod.containers[0]!.lifecycle?.preStop.sleep.seconds ?? 0;
        expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(preStop + STOP_SECONDS);
        expect(deployment.spec.strategy.rollingUpdate).toEqual({ maxUnavailable: 0, maxSurge: 1 });
      }
    expect(of('ha', 'ScaledObject')).toHaveLength(SERVICES.length);
    expect(of('no-keda', 'HorizontalPodAutoscaler')).toHaveLength(SERVICES.length);
    expect([
      ...of('no-keda', 'ScaledObject'),
      ...of('minimal', 'ScaledObject'),
      ...of('default', 'ScaledObject'),
    ]).toEqual([]);
  });

  test('no container is root, may become it, or writes to its image; no token of Kubernetes is given', () => {
    for (const { name, pod } of podsOf(all())) {
      expect(pod.automountServiceAccountToken, name).toBe(false);
      expect(pod.securityContext, name).toMatchObject({
        runAsNonRoot: true,
        seccompProfile: { type: 'RuntimeDefault' },
      });
      for (const { securityContext } of pod.containers)
        expect(securityContext, name).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
    }
  });

  test('what is secret comes from Secrets', () => {
    for (const { name, pod } of podsOf(all()))
      for (const { env = [] } of pod.containers)
        for (const variable of env.filter((each) => SECRET_NAME.test(each.name)))
          expect(variable.valueFrom?.secretKeyRef, `${name} ${variable.name}`).toBeDefined();
  });

  describe('network policies', () => {
    const policies = (kind: string) => of(kind, 'NetworkPolicy');
    const selects = (policy: Rendered, labels: Record<string, string>) => {
      const { matchLabels = {}, matchExpressions = [] } = policy.spec.podSelector;
      const fits = ({ key, values }: { key: string; values: string[] }) => values.includes(labels[key] ?? '');
      return Object.entries(matchLabels).every(([key, value]) => labels[key] === value) && matchExpressions.every(fits);
    };
    const labelsOf = (kind: string, component: string) =>
      [...of(kind, 'Deployment'), ...of(kind, 'StatefulSet')].find(
        ({ metadata }) => metadata.name === `tutti-${component}`,
      )!.spec.template.metadata.labels;
    /** Ports that a component may speak to, DNS left out. */
    const reaches = (kind: string, component: string) =>
      policies(kind)
        .filter((policy) => selects(policy, labelsOf(kind, component)))
        .flatMap(({ spec }) => spec.egress ?? [])
        .flatMap(({ ports }): (number | string)[] => ports?.map(({ port }) => port) ?? ['world'])
        .filter((port) => port !== 53)
        .toSorted();

    test('nothing may speak or be spoken to by default', () => {
      for (const kind of ['default', 'ha', 'no-keda']) {
        const deny = policies(kind).find(({ metadata }) => metadata.name === 'tutti-deny')!;
        expect(deny.spec.policyTypes).toEqual(['Ingress', 'Egress']);
        expect(deny.spec.ingress).toBeUndefined();
        for (const { object } of podsOf(rendered.get(kind)!)) {
          const labels = object.kind === 'Pod' ? object.metadata.labels : object.spec.template.metadata.labels;
          expect(selects(deny, labels), object.metadata.name).toBe(true);
        }
      }
      expect(policies('minimal')).toEqual([]);
    });

    test('services speak to the bus alone, but for memory with its store, and models and tools with the world', () => {
      for (const name of SERVICES) {
        const more = name === 'memory' ? [27017] : ['router', 'tools'].includes(name) ? ['world'] : [];
        expect(reaches('default', name), name).toEqual([4222, ...more].toSorted());
        expect(reaches('ha', name), name).toEqual([4222, 4318, ...more].toSorted());
      }
      expect(reaches('default', 'nats')).toEqual([]);
      expect(reaches('ha', 'nats')).toEqual([6222]);
      expect(reaches('default', 'mongodb')).toEqual([]);
    });

    test('the job that applies a bundle reaches the gateway, and the world for OpenAPI documents behind URLs', () => {
      const [job] = of('ha', 'Job').filter(({ metadata }) => metadata.name === 'tutti-bundle');
      const egress = policies('ha')
        .filter((policy) => selects(policy, job!.spec.template.metadata.labels))
        .flatMap(({ spec }) => spec.egress ?? []);
      const ports = egress.map((rule) => rule.ports?.map(({ port }) => port).join() ?? 'world');
      expect(ports.toSorted()).toEqual(['53,53', '8080', 'world']);
    });

    test('an operator opens the bus to workers, and the world to pods', async () => {
      const peer = (of: string) => ({ podSelector: { matchLabels: { of } } });
      const file = join(folder, 'peers.json');
      writeFileSync(file, JSON.stringify({ networkPolicy: { natsFrom: [peer('worker')], worldTo: [peer('models')] } }));
      const text = await template('-f', file, '-s', 'templates/networkpolicies.yaml');
      const own = parseAllDocuments(text).flatMap((each) => (each.toJS() as Rendered | null) ?? []);
      if (problemsWith) expect(own.flatMap((object) => problemsWith(object))).toEqual([]);
      const spec = (name: string) => own.find(({ metadata }) => metadata.name === name)!.spec;
      expect(spec('tutti-nats').ingress![0]!.from).toContainEqual(peer('worker'));
      expect(spec('tutti-to-world').egress![0]).toMatchObject({ to: expect.arrayContaining([peer('models')]) });
    });

    test('the bus hears services and its job alone; the store hears memory', () => {
      const ingress = (name: string) =>
        policies('default').find(({ metadata }) => metadata.name === name)!.spec.ingress!;
      const [bus] = ingress('tutti-nats');
      const on = (labels: Record<string, string>) =>
        Object.entries(bus!.from![0]!.podSelector.matchLabels).every(([key, value]) => labels[key] === value);
      for (const { object } of podsOf(rendered.get('default')!)) {
        if (object.kind === 'Pod') continue;
        const labels = object.spec.template.metadata.labels;
        const component = labels['app.kubernetes.io/component']!;
        expect(on(labels), component).toBe(isService(component) || component === 'provision');
      }
      const [store] = ingress('tutti-mongodb');
      expect(store!.from![0]!.podSelector.matchLabels['app.kubernetes.io/component']).toBe('memory');
    });
  });

  test('provisioning comes before services on a bus of one’s own, and as a job beside the chart’s own bus', async () => {
    const job = (kind: string) =>
      of(kind, 'Job').find(({ spec }) => spec.template.spec.containers[0]!.name === 'provision')!;
    expect(job('minimal').metadata.annotations!['helm.sh/hook']).toContain('pre-install');
    expect(job('default').metadata.annotations).toBeUndefined();
    const upgrade = parseAllDocuments(await template('--is-upgrade')).map(
      (document) => document.toJS() as Rendered | null,
    );
    const again = upgrade.find((object) => object?.metadata.name === 'tutti-provision')!;
    expect(again.metadata.annotations!['helm.sh/hook']).toContain('pre-upgrade');
  });

  test('a bundle from values is mounted where its files were, whatever they are called, text or not', async () => {
    const files = {
      'tutti.yaml': 'name: greeter',
      'agents/greeter.yaml': 'description: Says hello.',
      'models.yaml': 'models: {}',
      'prompts/system.md': 'Hello {{ name }}, this is no template of the chart.',
      'policies/own.cedar': 'permit (principal, action, resource);',
      'policies/tests/own.yaml': 'cases: []',
      'tools/desk.yaml': 'type: openapi',
      'a/b.md': 'one',
      'a__b.md': 'another',
      'knowledge/k/über uns (2).md': 'with a name that no key may have',
    };
    const binaryFiles = { 'servers/desk/logo.png': Buffer.from([137, 80, 78, 71, 0, 255]).toString('base64') };
    const file = join(folder, 'bundle-values.json');
    writeFileSync(file, JSON.stringify({ bundle: { enabled: true, files, binaryFiles } }));
    const objects = parseAllDocuments(await template('-f', file)).flatMap(
      (each) => (each.toJS() as Rendered | null) ?? [],
    );
    if (problemsWith) expect(objects.flatMap((object) => problemsWith(object))).toEqual([]);
    const map = objects.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === 'tutti-bundle')!;
    const mounts = podsOf(objects).flatMap(({ pod }) => pod.volumes?.filter(({ name }) => name === 'bundle') ?? []);
    // Of tools, and of the job that applies it.
    expect(mounts).toHaveLength(2);
    for (const { configMap } of mounts) {
      const content = configMap!.items!.map(({ key, path }) => [path, map.data![key] ?? map.binaryData![key]]);
      expect(Object.fromEntries(content)).toEqual({ ...files, ...binaryFiles });
      for (const { key } of configMap!.items!) expect(key).toMatch(/^[-._a-zA-Z0-9]{1,253}$/);
    }
  });

  test('values that would not work are refused, with what to do', async () => {
    expect(await fails('--set', 'plannr.replicas=3')).toMatch(/plannr/);
    expect(await fails('--set', 'partitions=0')).toMatch(/partitions/);
    expect(await fails('--set', 'nats.replicas=2')).toMatch(/nats.*replicas|replicas/s);
    expect(await fails('--set', 'mongodb.enabled=false')).toMatch(/memory.replicas=1/);
    expect(await fails('--set', 'planner.replicas=17')).toMatch(/as many planners as partitions/);
    expect(await fails('--set', 'tools.autoscaling.kind=keda')).toMatch(/prometheusUrl/);
    expect(await fails('--set', 'nats.enabled=false')).toMatch(/nats\.url/);
    expect(await fails('--set', 'auth.open=true,auth.existingSecret=x')).toMatch(/contradict/);
    const large = join(folder, 'large.json');
    writeFileSync(large, JSON.stringify({ bundle: { files: { 'a.md': 'x'.repeat(1_000_001) } } }));
    expect(await fails('-f', large)).toMatch(/1000001 bytes.*ConfigMap holds 1 MiB.*bundle\.path/s);
  });
});
