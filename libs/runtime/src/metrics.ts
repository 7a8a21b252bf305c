/**
 * Numbers about a service: for whoever scrapes it (Prometheus text format 0.0.4), and over OTLP (metrics-sdk.ts). Counting
 * is adding to a plain number: it is done on hot paths. Invariants: a counter never goes down; what is read only when asked
 * for is set by a collector; a metric has at most METRIC_SERIES_MAX series, whatever its labels are given.
 */
import { type MetricSpec, prometheusLabel, prometheusName } from './metric-names.ts';

/** Combinations of labels of one metric; what comes beyond is counted under `other`. */
export const METRIC_SERIES_MAX = 500;
const OTHER = 'other';

export class Counter {
  value = 0;
  inc(by = 1): void {
    this.value += by;
  }
}
export class Gauge {
  value = 0;
  set(value: number): void {
    this.value = value;
  }
}
export class Histogram {
  readonly #bounds: readonly number[];
  /** The last one: above all bounds. */
  readonly counts: number[];
  sum = 0;
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.counts = new Array<number>(bounds.length + 1).fill(0);
  }
  observe(value: number): void {
    let at = 0;
    while (at < this.#bounds.length && value > this.#bounds[at]!) at++;
    this.counts[at]!++;
    this.sum += value;
  }
}

/** One name with a value for each combination of its labels. */
export interface Family<T> {
  /** Values in the order of the label names. To be kept by whoever counts often. */
  of(...values: (string | number)[]): T;
  /** Forgets all values: a collector sets them anew. */
  clear(): void;
}

type SpecOf<Kind extends MetricSpec['kind']> = MetricSpec & { readonly kind: Kind };
export interface Series {
  labels: readonly string[];
  value: Counter | Gauge | Histogram;
}
export interface CollectedMetric {
  spec: MetricSpec;
  series: readonly Series[];
}

export interface Metrics {
  counter(spec: SpecOf<'counter'>): Family<Counter>;
  gauge(spec: SpecOf<'gauge'>): Family<Gauge>;
  histogram(spec: SpecOf<'histogram'>): Family<Histogram>;
  /** Called before the metrics are read. */
  collect(collector: () => void): void;
  /** All of them as they are now. */
  read(): CollectedMetric[];
  text(): string;
}

export function createMetrics(): Metrics {
  const collectors: (() => void)[] = [];
  const families = new Map<string, { spec: MetricSpec; series: Map<string, Series> }>();

  function family<T extends Counter | Gauge | Histogram>(spec: MetricSpec, make: () => T): Family<T> {
    const { labels } = spec;
    if (families.has(spec.name)) throw new Error(`there is a metric "${spec.name}" already`);
    const series = new Map<string, Series>();
    families.set(spec.name, { spec, series });
    const of = (...values: (string | number)[]): T => {
      if (values.length !== labels.length)
        throw new Error(`${spec.name} has the labels ${labels.join(', ') || '(none)'}`);
      const key = values.join('\u0000');
      const known = series.get(key);
      if (known) return known.value as T;
      const full = series.size >= METRIC_SERIES_MAX - 1 && values.some((value) => value !== OTHER);
      if (full) return of(...values.map(() => OTHER));
      const made = make();
      series.set(key, { labels: values.map(String), value: made });
      return made;
    };
    return { of, clear: () => series.clear() };
  }

  function read(): CollectedMetric[] {
    for (const collector of collectors) collector();
    return [...families.values()].map(({ spec, series }) => ({ spec, series: [...series.values()] }));
  }

  return {
    counter: (spec) => family(spec, () => new Counter()),
    gauge: (spec) => family(spec, () => new Gauge()),
    histogram: (spec) => family(spec, () => new Histogram(spec.bounds ?? [])),
    collect: (collector) => void collectors.push(collector),
    read,
    text: () => read().map(textOf).join(''),
  };
}

export const METRICS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

function textOf({ spec, series }: CollectedMetric): string {
  const name = prometheusName(spec);
  const help = spec.help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
  const lines = series.flatMap((one) => {
    const labels = spec.labels.map((label, at) => `${prometheusLabel(label)}="${escaped(one.labels[at]!)}"`);
    const { value } = one;
    return value instanceof Histogram
      ? buckets(name, labels, spec.bounds ?? [], value)
      : [line(name, labels, value.value)];
  });
  return `# HELP ${name} ${help}\n# TYPE ${name} ${spec.kind}\n${lines.join('')}`;
}

function buckets(name: string, labels: string[], bounds: readonly number[], { counts, sum }: Histogram): string[] {
  let total = 0;
  const lines = counts.map((count, at) => {
    total += count;
    return line(`${name}_bucket`, [...labels, `le="${bounds[at] ?? '+Inf'}"`], total);
  });
  return [...lines, line(`${name}_sum`, labels, sum), line(`${name}_count`, labels, total)];
}

function line(name: string, labels: string[], value: number): string {
  return `${name}${labels.length > 0 ? `{${labels.join(',')}}` : ''} ${Number.isNaN(value) ? 'NaN' : value}\n`;
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
