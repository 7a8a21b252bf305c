/** What operators give the chart: bundles, a bus of their own, and what would not work. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { chart, fails, helm, objectsOf, of, podsOf, schemas, withValues } from './chart.ts';

describe.skipIf(!helm)('values', () => {
  test('provisioning comes before services on a bus of one’s own, and as a job beside the chart’s own bus', async () => {
    const job = (kind: string) =>
      of(kind, 'Job').find(({ spec }) => spec.template.spec.containers[0]!.name === 'provision')!;
    expect(job('minimal').metadata.annotations!['helm.sh/hook']).toContain('pre-install');
    expect(job('default').metadata.annotations).toBeUndefined();
    const upgrade = await objectsOf('--is-upgrade');
    const again = upgrade.find((object) => object.metadata.name === 'tutti-provision')!;
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
    const bundle = { enabled: true, files, binaryFiles };
    const made = await withValues({ bundle }, (file) => objectsOf('-f', file));
    if (schemas) expect(made.flatMap(schemas)).toEqual([]);
    const map = made.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === 'tutti-bundle')!;
    const mounts = podsOf(made).flatMap(({ pod }) => pod.volumes?.filter(({ name }) => name === 'bundle') ?? []);
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
    const large = { bundle: { files: { 'a.md': 'x'.repeat(1_000_001) } } };
    expect(await withValues(large, (file) => fails('-f', file))).toMatch(
      /1000001 bytes.*ConfigMap holds 1 MiB.*bundle\.path/s,
    );
  });
});

test('every group of values is in the README of the chart, and nothing else', () => {
  const rows = readFileSync(join(chart, 'README.md'), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| `'));
  const named = rows.flatMap((row) => [...row.split('|')[1]!.matchAll(/`(\w+)`/g)].map((match) => match[1]!));
  const values = parse(readFileSync(join(chart, 'values.yaml'), 'utf8')) as object;
  expect(named.toSorted()).toEqual(Object.keys(values).toSorted());
});
