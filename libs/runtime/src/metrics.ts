/**
 * Numbers about a service for whoever scrapes it (Prometheus text format 0.0.4). Counting is adding to a plain number:
 * it is done on hot paths. Invariant: a counter never goes down; what is read only when asked for is set by a collector.
 */
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

export interface Metrics {
  counter(name: string, help: string, labels?: readonly string[]): Family<Counter>;
  gauge(name: string, help: string, labels?: readonly string[]): Family<Gauge>;
  /** `bounds`: upper, ascending. */
  histogram(name: string, help: string, bounds: readonly number[], labels?: readonly string[]): Family<Histogram>;
  /** Called before the metrics are read. */
  collect(collector: () => void): void;
  text(): string;
}

interface Child<T> {
  labels: string[];
  value: T;
}
type Lines = (name: string, labels: string[], value: never) => string[];

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;

export function createMetrics(): Metrics {
  const collectors: (() => void)[] = [];
  const families = new Map<string, () => string>();

  function family<T>(
    [name, help, type]: [name: string, help: string, type: string],
    labels: readonly string[],
    make: () => T,
    lines: Lines,
  ): Family<T> {
    if (!NAME.test(name) || families.has(name)) throw new Error(`"${name}" cannot be the name of another metric`);
    const children = new Map<string, Child<T>>();
    families.set(name, () => {
      const values = [...children.values()].flatMap((child) => lines(name, child.labels, child.value as never));
      return `# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n# TYPE ${name} ${type}\n${values.join('')}`;
    });
    const of = (...values: (string | number)[]): T => {
      if (values.length !== labels.length) throw new Error(`${name} has the labels ${labels.join(', ') || '(none)'}`);
      const key = values.join('\u0000');
      let child = children.get(key);
      if (!child) {
        child = { labels: labels.map((label, at) => `${label}="${escaped(values[at]!)}"`), value: make() };
        children.set(key, child);
      }
      return child.value;
    };
    return { of, clear: () => children.clear() };
  }

  return {
    counter: (name, help, labels = []) => family([name, help, 'counter'], labels, () => new Counter(), single),
    gauge: (name, help, labels = []) => family([name, help, 'gauge'], labels, () => new Gauge(), single),
    histogram: (name, help, bounds, labels = []) =>
      family([name, help, 'histogram'], labels, () => new Histogram(bounds), buckets(bounds)),
    collect: (collector) => void collectors.push(collector),
    text() {
      for (const collector of collectors) collector();
      return [...families.values()].map((write) => write()).join('');
    },
  };
}

export const METRICS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

function single(name: string, labels: string[], { value }: Counter | Gauge): string[] {
  return [line(name, labels, value)];
}

function buckets(bounds: readonly number[]): Lines {
  return (name, labels, { counts, sum }: Histogram) => {
    let total = 0;
    const lines = counts.map((count, at) => {
      total += count;
      return line(`${name}_bucket`, [...labels, `le="${bounds[at] ?? '+Inf'}"`], total);
    });
    return [...lines, line(`${name}_sum`, labels, sum), line(`${name}_count`, labels, total)];
  };
}

function line(name: string, labels: string[], value: number): string {
  return `${name}${labels.length > 0 ? `{${labels.join(',')}}` : ''} ${Number.isNaN(value) ? 'NaN' : value}\n`;
}

function escaped(value: string | number): string {
  return String(value).replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
