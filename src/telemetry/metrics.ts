// The process's metrics over prom-client: one registry, built once and handed to whoever has something to tell. Counts and
// levels are kept where they arise and read when somebody asks; only distributions are recorded as they happen, here, since the
// library looks each series up by its labels' text, 0.4 microseconds a value. It must never use the library's own global registry, nor its default metrics, which ask a runtime that this is not.

import Counter from "prom-client/lib/counter";
import Gauge from "prom-client/lib/gauge";
import Registry from "prom-client/lib/registry";
import { assert } from "../foundation/assert";
import {
  type HistogramName,
  type LabelsOf,
  type MetricDefinition,
  type MetricName,
  metricDefinitions,
  type ValueName,
} from "./metric-definitions";

/** One series' value. */
export interface Sample<Name extends ValueName> {
  readonly labels: LabelsOf<Name>;
  readonly value: number;
}

/** Records one value, in some 20 ns. Throws InvariantError for what is no finite number. */
export type Recorder = (value: number) => void;

export interface Metrics {
  /** Of the text. */
  readonly contentType: string;
  /**
   * From now on a counter or gauge has just the series that `read` gives, asked for at every scrape. A counter's values never go
   * down while the process runs. A scrape fails where `read` throws. InvariantError where it is fed already.
   */
  feed<Name extends ValueName>(
    name: Name,
    read: () => readonly Sample<Name>[] | Promise<readonly Sample<Name>[]>,
  ): void;
  /** A series of a histogram, there from this call on. */
  recorder<Name extends HistogramName>(name: Name, labels: LabelsOf<Name>): Recorder;
  /** Metrics that nothing feeds: none, once everything is built. */
  unfed(): readonly MetricName[];
  /** Everything in Prometheus' text format 0.0.4. */
  text(): Promise<string>;
}

/** Metrics with every definition and no series yet. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  const readers = new Map<ValueName, () => Promise<void>>();
  const values = new Map<ValueName, InstanceType<typeof Counter> | InstanceType<typeof Gauge>>();
  const histograms = new Map<HistogramName, Distribution>();
  const recorded = new Set<HistogramName>();

  for (const [name, definition] of Object.entries(metricDefinitions) as [MetricName, MetricDefinition][]) {
    const { kind, help, labels, buckets } = definition;
    const common = { name, help, labelNames: Object.keys(labels), registers: [registry] };
    if (kind === "histogram") {
      assert(buckets !== undefined, `${name} has no buckets`);
      const histogram = new Distribution(name, help, buckets);
      registry.registerMetric(histogram as unknown as InstanceType<typeof Gauge>);
      histograms.set(name as HistogramName, histogram);
      continue;
    }
    const collect = () => readers.get(name as ValueName)?.();
    const value = kind === "counter" ? new Counter({ ...common, collect }) : new Gauge({ ...common, collect });
    values.set(name as ValueName, value);
  }

  return {
    contentType: registry.contentType,
    feed(name, read) {
      assert(!readers.has(name), `${name} is fed twice`);
      const value = values.get(name)!;
      readers.set(name, async () => {
        const samples = await read();
        value.reset();
        for (const sample of samples) value.inc(sample.labels as Record<string, string>, sample.value);
      });
    },
    recorder(name, labels) {
      recorded.add(name);
      return histograms.get(name)!.series(labels as Record<string, string>);
    },
    unfed: () => [
      ...[...values.keys()].filter((name) => !readers.has(name)),
      ...[...histograms.keys()].filter((name) => !recorded.has(name)),
    ],
    text: () => registry.metrics(),
  };
}

interface Series {
  readonly labels: Readonly<Record<string, string>>;
  /** Values by the first bucket that holds them, those above all in the last. */
  readonly counts: Float64Array;
  sum: number;
}

/** A histogram as the library's registry takes one: by its name and `get`. */
class Distribution {
  readonly name: string;
  readonly #help: string;
  readonly #bounds: Float64Array;
  readonly #series: Series[] = [];

  constructor(name: string, help: string, bounds: readonly number[]) {
    this.name = name;
    this.#help = help;
    this.#bounds = Float64Array.from(bounds);
  }

  series(labels: Readonly<Record<string, string>>): Recorder {
    const bounds = this.#bounds;
    const series: Series = { labels, counts: new Float64Array(bounds.length + 1), sum: 0 };
    this.#series.push(series);
    return (value) => {
      if (!Number.isFinite(value)) assert(false, `${this.name} was told ${value}`);
      let bucket = 0;
      while (bucket < bounds.length && value > bounds[bucket]!) bucket += 1;
      series.counts[bucket]! += 1;
      series.sum += value;
    };
  }

  get() {
    const { name } = this;
    const values = this.#series.flatMap(({ labels, counts, sum }) => {
      let count = 0;
      const buckets = Array.from(counts, (more, bucket) => {
        count += more;
        const le = bucket < this.#bounds.length ? this.#bounds[bucket]! : "+Inf";
        return { metricName: `${name}_bucket`, labels: { le, ...labels }, value: count };
      });
      return [
        ...buckets,
        { metricName: `${name}_sum`, labels, value: sum },
        { metricName: `${name}_count`, labels, value: count },
      ];
    });
    return Promise.resolve({ name, help: this.#help, type: "histogram", values, aggregator: "sum" });
  }
}

/** Counts by a closed set of label values: each is there from the start, and adding costs a look into a map. */
export class Tally {
  readonly #counts: Map<string, number>;

  constructor(names: readonly string[]) {
    this.#counts = new Map(names.map((name) => [name, 0]));
  }

  has(name: string): boolean {
    return this.#counts.has(name);
  }

  add(name: string): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
  }

  samples<Labels>(labelsOf: (name: string) => Labels): { readonly labels: Labels; readonly value: number }[] {
    return [...this.#counts].map(([name, value]) => ({ labels: labelsOf(name), value }));
  }
}
