/** Every object of the chart: it is what Kubernetes, KEDA and the Prometheus operator know, and says of services what their own code says. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SERVICES } from '@tutti/contracts';
import { repositoryRoot } from '@tutti/testkit';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { createProgram } from '../../libs/cli/src/program.ts';
import { IMAGES } from '../cluster/engine.ts';
import { chart, helm, kinds, lint, objects, of, podsOf, schemas } from './chart.ts';
import { isService, problemsOf } from './configs.ts';
import type { Container, Rendered } from './rendered.ts';
import type { Check } from './schemas.ts';

/** What stands in a Secret that an operator brings. */
const FROM_SECRETS: Record<string, string> = {
  TUTTI_API_KEYS: 'k-0123456789abcdef0123456789abcdef:default',
  TUTTI_API_KEY: 'k-0123456789abcdef0123456789abcdef',
  MONGODB_URL: 'mongodb://mongo:27017/tutti',
  TUTTI_NATS_USER: 'tutti',
  TUTTI_NATS_PASSWORD: 'secret',
};
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

describe.skipIf(!helm)('the chart', () => {
  test('there is a default, a minimal, a highly available one and one without KEDA', () => {
    expect(kinds.toSorted()).toEqual(['default', 'ha', 'minimal', 'no-keda']);
    for (const kind of kinds) expect(of(kind, 'Deployment').length).toBeGreaterThanOrEqual(SERVICES.length);
  });

  test.each(kinds)('%s: helm lint has nothing to say', async (kind) => {
    expect(await lint(kind)).toContain('0 chart(s) failed');
  });

  describe.skipIf(!schemas)('every object', () => {
    const check: Check = (object) => schemas!(object);

    test.each(kinds)('%s: fits the schemas of Kubernetes, KEDA and the Prometheus operator, strictly', (kind) => {
      expect(objects(kind).flatMap(check)).toEqual([]);
    });

    test('of every kind would be found out with a field that nobody knows, or a value of another type', () => {
      const one = new Map(objects().map((object) => [object.kind, object]));
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
      const containers = podsOf(objects(kind)).flatMap(({ pod }) => pod.containers);
      const ours = containers.filter(({ name }) => isService(name) || name === 'provision');
      expect(ours.length).toBeGreaterThanOrEqual(SERVICES.length);
      for (const container of ours)
        expect(problemsOf(container.name as 'gateway' | 'provision', environmentOf(container))).toEqual([]);
    });

    test('a service is chosen by its name, and other commands are the command line’s', () => {
      const commands = createProgram(() => {}).commands.map((command) => command.name());
      for (const { pod } of podsOf(objects()))
        for (const { name, image, args, command } of pod.containers) {
          if (!image.startsWith('tutti:')) continue;
          if (command) expect(existsSync(join(repositoryRoot, command[1]!.replace('/tutti/', '')))).toBe(true);
          else if (isService(name)) expect(args).toEqual([name]);
          else expect(commands).toContain(args![0]);
        }
    });

    test('ports are those that the variables name, and probes ask what is served there', () => {
      for (const { pod } of podsOf(objects()))
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

    test('images are those that are proven, in the version of the chart', () => {
      const { appVersion } = parse(readFileSync(join(chart, 'Chart.yaml'), 'utf8')) as { appVersion: string };
      const { version } = JSON.parse(readFileSync(join(repositoryRoot, 'package.json'), 'utf8')) as { version: string };
      expect(appVersion).toBe(version);
      for (const { pod } of podsOf(objects()))
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
    for (const { name, pod } of podsOf(objects())) {
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
    for (const { name, pod } of podsOf(objects()))
      for (const { env = [] } of pod.containers)
        for (const variable of env.filter((each) => SECRET_NAME.test(each.name)))
          expect(variable.valueFrom?.secretKeyRef, `${name} ${variable.name}`).toBeDefined();
  });
});
