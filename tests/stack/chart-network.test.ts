/** Who may speak to whom on Kubernetes: nothing to anything, but for the edges of the architecture. */
import { SERVICES } from '@tutti/contracts';
import { describe, expect, test } from 'vitest';
import { helm, objects, objectsOf, of, podsOf, schemas, withValues } from './chart.ts';
import { isService } from './configs.ts';
import type { Rendered } from './rendered.ts';

describe.skipIf(!helm)('network policies', () => {
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
      for (const { object } of podsOf(objects(kind))) {
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
    const networkPolicy = { natsFrom: [peer('worker')], worldTo: [peer('models')] };
    const own = await withValues({ networkPolicy }, (file) => objectsOf('-f', file));
    if (schemas) expect(own.flatMap(schemas)).toEqual([]);
    const spec = (name: string) => own.find(({ metadata }) => metadata.name === name)!.spec;
    expect(spec('tutti-nats').ingress![0]!.from).toContainEqual(peer('worker'));
    expect(spec('tutti-to-world').egress![0]).toMatchObject({ to: expect.arrayContaining([peer('models')]) });
  });

  test('the bus hears services and its job alone; the store hears memory', () => {
    const ingress = (name: string) => policies('default').find(({ metadata }) => metadata.name === name)!.spec.ingress!;
    const [bus] = ingress('tutti-nats');
    const on = (labels: Record<string, string>) =>
      Object.entries(bus!.from![0]!.podSelector.matchLabels).every(([key, value]) => labels[key] === value);
    for (const { object } of podsOf(objects('default'))) {
      if (object.kind === 'Pod') continue;
      const labels = object.spec.template.metadata.labels;
      const component = labels['app.kubernetes.io/component']!;
      expect(on(labels), component).toBe(isService(component) || component === 'provision');
    }
    const [store] = ingress('tutti-mongodb');
    expect(store!.from![0]!.podSelector.matchLabels['app.kubernetes.io/component']).toBe('memory');
  });
});
