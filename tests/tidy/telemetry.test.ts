/** Names of spans, attributes, events and metrics are in one place each, documented, and used. */
import { globSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ATTR, EVENT, METRIC, type MetricSpec, prometheusLabel, prometheusName, SPAN } from '@tutti/runtime';
import { describe, expect, test } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
const NAMES = ['libs/runtime/src/telemetry-names.ts', 'libs/runtime/src/metric-names.ts'];
const isTest = (file: string) => /\.test\.ts$|test-support|\/fixtures\/|\/testing\/|test-kit|testkit/.test(file);
const files = globSync('{libs,services}/**/*.ts', { cwd: root, exclude: (path) => path.includes('node_modules') })
  .map((file) => file.replaceAll('\\', '/'))
  .filter((file) => !file.includes('node_modules') && !isTest(file) && !NAMES.includes(file));
const code = new Map(
  files.map((file) => [
    file,
    readFileSync(join(root, file), 'utf8')
      .replace(/\/\*[\s\S]*?\*\//g, '')
      .replace(/(^|\s)\/\/.*$/gm, ''),
  ]),
);
const specs: MetricSpec[] = Object.values(METRIC);
const constant = [
  ...Object.values(ATTR),
  ...Object.values(EVENT),
  ...Object.values(SPAN).filter((name) => typeof name === 'string'),
  ...specs.flatMap((spec) => [spec.name, prometheusName(spec)]),
].filter((name) => name.includes('.') || name.startsWith('tutti_'));

function linesWith(pattern: RegExp): string[] {
  return [...code].flatMap(([file, text]) =>
    text
      .split('\n')
      .filter((line) => pattern.test(line))
      .map((line) => `${file}: ${line.trim()}`),
  );
}

describe('names in traces and metrics', () => {
  test('there is something to look at', () => {
    expect(files.length).toBeGreaterThan(200);
    expect(constant.length).toBeGreaterThan(100);
  });

  test('are spelled in their own files alone', () => {
    const spelled = constant.map((name) => name.replaceAll('.', '\\.')).join('|');
    expect(linesWith(new RegExp(`['"\`](${spelled})['"\`]`))).toEqual([]);
    // And others like them that are not there yet.
    expect(linesWith(/['"`](gen_ai|messaging|db|http\.(request|response|route)|exception)\.[a-z]/)).toEqual([]);
    expect(linesWith(/\.(span|event)\(\s*['"`]/)).toEqual([]);
    expect(linesWith(/metrics\)?\.(counter|gauge|histogram)\((?!METRIC[.[])/)).toEqual([]);
  });

  test('are all used', () => {
    const all = [...code.values(), readFileSync(join(root, NAMES[1]!), 'utf8')].join('\n');
    const unused = [
      ...Object.keys(ATTR).map((key) => `ATTR.${key}`),
      ...Object.keys(EVENT).map((key) => `EVENT.${key}`),
      ...Object.keys(SPAN).map((key) => `SPAN.${key}`),
    ].filter((name) => !new RegExp(`\\b${name.replace('.', '\\.')}\\b`).test(all));
    expect(unused).toEqual([]);
    const gauges = /METRIC\[name\]/.test(all)
      ? ['lag', 'active', 'queued', 'waiting', 'parked', 'inFlight', 'heldBack', 'epoch']
      : [];
    expect(
      Object.keys(METRIC).filter((key) => !gauges.includes(key) && !new RegExp(`METRIC\\.${key}\\b`).test(all)),
    ).toEqual([]);
  });

  test('stand in docs/observability.md: every attribute and event, and every metric with its labels and what it says', () => {
    const text = readFileSync(join(root, 'docs/observability.md'), 'utf8');
    const said = [...Object.values(ATTR), ...Object.values(EVENT)].filter((name) => !text.includes(`\`${name}\``));
    expect(said).toEqual([]);
    const rows = [...text.matchAll(/^\| `([a-z0-9_]+)` \| (counter|gauge|histogram) \| (.*?) \| (.*?) \|$/gm)].map(
      (row) => row.slice(1),
    );
    const expected = specs.map((spec) => [
      prometheusName(spec),
      spec.kind,
      spec.labels.map((label) => `\`${prometheusLabel(label)}\``).join(', '),
      spec.help,
    ]);
    expect(rows).toEqual(expected);
  });

  test('of metrics in the example of alerts are those that there are', () => {
    const rules = readFileSync(join(root, 'deploy/helm/tutti/prometheus-rules.yaml'), 'utf8');
    const known = new Set(specs.flatMap((spec) => [prometheusName(spec), ...spec.labels.map(prometheusLabel)]));
    const named = [...rules.matchAll(/\b((?:tutti|gen_ai|http_server|process|nodejs)_[a-z0-9_]+)/g)].map(
      (match) => match[1]!,
    );
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter((name) => !known.has(name) && !known.has(name.replace(/_(bucket|sum|count)$/, '')))).toEqual(
      [],
    );
  });
});
