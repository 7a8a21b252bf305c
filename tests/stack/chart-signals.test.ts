/** What autoscalers and alerts of the chart go by is what services tell. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SERVICES, VERBS } from '@tutti/contracts';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { chart, helm, of, template } from './chart.ts';
import { metricLabels } from './configs.ts';

describe.skipIf(!helm)('signals', () => {
  const queries = (kind: string) =>
    of('ha', kind)
      .flatMap((object) => [...JSON.stringify(object).matchAll(/"(?:query|expr)":"((?:[^"\\]|\\.)*)"/g)])
      .map((match) => JSON.parse(`"${match[1]}"`) as string);

  test('metrics that autoscalers and alerts ask for are told, by the labels that they have', () => {
    const labels = metricLabels();
    const all = [...queries('ScaledObject'), ...queries('PrometheusRule')];
    expect(all.length).toBeGreaterThan(20);
    const asked = all.flatMap((query) => [...query.matchAll(/\b([a-z_]+)\{([^}]*)\}/g)].map((match) => match.slice(1)));
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
});
