// The registry over the table of definitions: every row has its kind and help in the text, what is fed is what is told, and nothing is
// there twice. And the readings of the process itself.

import { describe, expect, test } from "bun:test";
import { type MetricDefinition, metricDefinitions } from "../../../src/telemetry/metric-definitions";
import { createMetrics, Tally } from "../../../src/telemetry/metrics";
import { processReader } from "../../../src/telemetry/process-readings";

const definitions = Object.entries(metricDefinitions) as [string, MetricDefinition][];

describe("S2.09 the table of metrics", () => {
  test.each(definitions)("%s has a name, a sentence and labels that Prometheus takes", (name, definition) => {
    expect(name).toMatch(/^[a-z][a-z0-9_]*$/);
    expect(definition.help).toMatch(/^[A-Z1].*\.$/);
    expect(name.endsWith("_total")).toBe(definition.kind === "counter");
    for (const label of Object.keys(definition.labels)) expect(label).toMatch(/^[a-z][a-z_0-9]*$/);
    expect(definition.buckets !== undefined).toBe(definition.kind === "histogram");
    const buckets = [...(definition.buckets ?? [])];
    expect(buckets).toEqual([...new Set(buckets)].sort((one, other) => one - other));
  });
});

describe("S2.09 metrics", () => {
  test("tell every definition by kind and help, also those without a series yet", async () => {
    const text = await createMetrics().text();
    for (const [name, { kind, help }] of definitions) {
      expect(text).toContain(`# HELP ${name} ${help}\n`);
      expect(text).toContain(`# TYPE ${name} ${kind}\n`);
    }
  });

  test("S4.62 a histogram's series is there from the start, at 0", async () => {
    const metrics = createMetrics();
    metrics.recorder("bsopt_pricing_options", { operation: "price" });
    const text = await metrics.text();
    expect(text).toContain('bsopt_pricing_options_bucket{le="1",operation="price"} 0\n');
    expect(text).toContain('bsopt_pricing_options_count{operation="price"} 0\n');
  });

  test("a histogram counts in the first bucket that holds the value, and sums", async () => {
    const metrics = createMetrics();
    const record = metrics.recorder("bsopt_pricing_options", { operation: "priceBatch" });
    for (const count of [1, 10, 11, 5_000_000]) record(count);
    const text = await metrics.text();
    for (const [bound, count] of [
      ["1", 1],
      ["10", 2],
      ["100", 3],
      ["1000000", 3],
      ["+Inf", 4],
    ]) {
      expect(text).toContain(`bsopt_pricing_options_bucket{le="${bound}",operation="priceBatch"} ${count}\n`);
    }
    expect(text).toContain('bsopt_pricing_options_sum{operation="priceBatch"} 5000022\n');
  });

  test("a histogram takes no value that is no finite number, and several series stand side by side", async () => {
    const metrics = createMetrics();
    const [one, other] = (["price", "priceBatch"] as const).map((operation) =>
      metrics.recorder("bsopt_pricing_options", { operation }),
    );
    expect(() => one!(Number.NaN)).toThrow("bsopt_pricing_options was told NaN");
    one!(1);
    other!(2);
    const text = await metrics.text();
    expect(text).toContain('bsopt_pricing_options_count{operation="price"} 1\n');
    expect(text).toContain('bsopt_pricing_options_sum{operation="priceBatch"} 2\n');
  });

  test("a fed metric is read at each scrape: what is told is what stands there now, gone series gone", async () => {
    const metrics = createMetrics();
    let samples = [
      { labels: { agent: "one" }, value: 1 },
      { labels: { agent: "two" }, value: 0 },
    ];
    metrics.feed("bsopt_agent_up", async () => samples);
    let sent = 3;
    metrics.feed("bsopt_outbox_messages_total", () => [{ labels: { outcome: "sent" }, value: sent }]);
    const first = await metrics.text();
    expect(first).toContain('bsopt_agent_up{agent="one"} 1\nbsopt_agent_up{agent="two"} 0\n');
    expect(first).toContain('bsopt_outbox_messages_total{outcome="sent"} 3\n');
    samples = [{ labels: { agent: "two" }, value: 1 }];
    sent = 5;
    const second = await metrics.text();
    expect(second).not.toContain('agent="one"');
    expect(second).toContain('bsopt_agent_up{agent="two"} 1\n');
    expect(second).toContain('bsopt_outbox_messages_total{outcome="sent"} 5\n');
  });

  test("a metric that is fed twice stops the start, and one that nothing feeds is named", () => {
    const metrics = createMetrics();
    expect(metrics.unfed().length).toBe(definitions.length);
    metrics.feed("process_open_fds", () => []);
    metrics.recorder("bsopt_database_commit_seconds", {});
    expect(metrics.unfed()).not.toContain("process_open_fds");
    expect(metrics.unfed()).not.toContain("bsopt_database_commit_seconds");
    expect(() => metrics.feed("process_open_fds", () => [])).toThrow("fed twice");
  });

  test("two processes' worth of metrics in one know nothing of each other", async () => {
    const [one, other] = [createMetrics(), createMetrics()];
    one.recorder("bsopt_database_read_seconds", {})(0.5);
    other.recorder("bsopt_database_read_seconds", {});
    expect(await other.text()).toContain("bsopt_database_read_seconds_count 0\n");
  });
});

test("a tally has its names from the start and takes further ones", () => {
  const tally = new Tally(["200", "404"]);
  tally.add("404");
  tally.add("418");
  expect(tally.samples((status) => status)).toEqual([
    { labels: "200", value: 0 },
    { labels: "404", value: 1 },
    { labels: "418", value: 1 },
  ]);
});

test("S4.60 the process tells its processor time, memory and files", () => {
  const readings = processReader()();
  expect(readings.cpuSeconds).toBeGreaterThan(0);
  expect(readings.residentBytes).toBeGreaterThan(readings.heapUsedBytes / 2);
  expect(readings.heapUsedBytes).toBeGreaterThan(100_000);
  if (process.platform !== "linux") return;
  expect(readings.openFileCount).toBeGreaterThan(2);
  expect(readings.openFileCountMax).toBeGreaterThan(readings.openFileCount);
});

test("S5.13 where no more files may be opened the figures are the last ones, and the open files are as many as there may be", () => {
  let isExhausted = true;
  const from = (value: number) => () => {
    if (isExhausted) throw Object.assign(new Error("too many open files"), { code: "EMFILE" });
    return value;
  };
  const sources = {
    cpuSeconds: from(1),
    residentBytes: from(2),
    heapUsedBytes: from(3),
    openFileCount: from(4),
    openFileCountMax: () => 64,
  };
  const read = processReader(sources);
  expect(read()).toEqual({
    cpuSeconds: 0,
    residentBytes: 0,
    heapUsedBytes: 0,
    openFileCount: 64,
    openFileCountMax: 64,
  });
  isExhausted = false;
  expect(Object.values(read())).toEqual([1, 2, 3, 4, 64]);
  isExhausted = true;
  expect(Object.values(read())).toEqual([1, 2, 3, 64, 64]);
});
