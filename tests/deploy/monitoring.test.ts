// The alert rules and dashboards in deploy/: each names only metrics and labels that there are, each alert fires when it should and only
// then (asked of Prometheus' own evaluator, where it is installed), and each has its page of what to do.

import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "../../build/fingerprint.mjs";
import { type MetricDefinition, metricDefinitions } from "../../src/telemetry/metric-definitions";
import { hasPromtool, promtool } from "../harness/promtool";

const definitions: Readonly<Record<string, MetricDefinition>> = metricDefinitions;

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly runbook: string };
}

const rulesPath = join(root, "deploy/prometheus/rules.yml");
const { groups } = Bun.YAML.parse(readFileSync(rulesPath, "utf8")) as { groups: { name: string; rules: Rule[] }[] };
const rules = groups.flatMap((group) => group.rules);

interface Dashboard {
  readonly uid: string;
  readonly panels: readonly {
    readonly id: number;
    readonly title: string;
    readonly gridPos: Readonly<Record<"x" | "y" | "w" | "h", number>>;
    readonly targets: readonly { readonly refId: string; readonly expr: string; readonly legendFormat: string }[];
  }[];
}

const dashboards = readdirSync(join(root, "deploy/grafana"))
  .sort()
  .map((name) => [name, JSON.parse(readFileSync(join(root, "deploy/grafana", name), "utf8")) as Dashboard] as const);

/** What Prometheus itself adds to every series. */
const scrapeLabels = ["job", "instance"];
const words = new Set(["by", "without", "on", "ignoring", "and", "or", "unless", "bool", "offset", "e9"]);

/** What in an expression is no metric of ours, or no label of the metric it stands at. */
function faultsOf(expression: string): string[] {
  const faults: string[] = [];
  const outside = expression
    .replace(/\b(by|without|on|ignoring)\s*\([^)]*\)/g, "")
    .replace(/([a-z_][a-z0-9_]*)\{([^}]*)\}/g, (_, name: string, selectors: string) => {
      const labels = [...labelsOf(name), ...scrapeLabels];
      for (const [, label] of selectors.matchAll(/([a-z_][a-z0-9_]*)\s*(?:=~|!~|!=|=)/g)) {
        if (!labels.includes(label!)) faults.push(`${name} has no label ${label}`);
      }
      return name;
    })
    .replace(/\[[^\]]*\]|"[^"]*"/g, "");
  for (const [, name, isCall] of outside.matchAll(/(?<![\d.])\b([a-z_][a-z0-9_]*)\b(\s*\()?/g)) {
    if (isCall || words.has(name!) || name === "up") continue;
    if (definitionOf(name!) === undefined) faults.push(`there is no metric ${name}`);
  }
  return faults;
}

function definitionOf(name: string): MetricDefinition | undefined {
  const histogram = definitions[name.replace(/_(bucket|sum|count)$/, "")];
  if (histogram?.kind === "histogram") return name in definitions ? undefined : histogram;
  return definitions[name];
}

function labelsOf(name: string): readonly string[] {
  const definition = definitionOf(name);
  return [...Object.keys(definition?.labels ?? {}), ...(name.endsWith("_bucket") ? ["le"] : [])];
}

describe("S2.10 every metric that is named exists", () => {
  test.each(rules.map(({ alert, expr }) => [alert, expr]))("in the alert %s", (_, expr) => {
    expect(faultsOf(expr)).toEqual([]);
  });

  for (const [name, { panels }] of dashboards) {
    test.each(panels.map(({ title, targets }) => [title, targets] as const))(
      `S4.62 in ${name}, panel %s`,
      (_, targets) => {
        expect(targets.length).toBeGreaterThan(0);
        for (const { expr } of targets) expect([expr, faultsOf(expr)]).toEqual([expr, []]);
      },
    );
  }

  test("and every metric there is stands in a dashboard", () => {
    const shown = dashboards.flatMap(([, { panels }]) =>
      panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
    );
    const text = shown.join("\n");
    expect(
      Object.keys(definitions).filter((name) => !new RegExp(`\\b${name}(_bucket|_sum|_count)?\\b`).test(text)),
    ).toEqual([]);
  });

  test.each([
    ["rate(http_request_total[5m])", ["there is no metric http_request_total"]],
    ['sum by (le) (rate(http_requests_total{path="/"}[5m]))', ["http_requests_total has no label path"]],
    ["http_request_duration_seconds > 1", ["there is no metric http_request_duration_seconds"]],
    ["bsopt_agent_up_bucket == 0 or up == 0", ["there is no metric bsopt_agent_up_bucket"]],
    ['histogram_quantile(0.5, rate(bsopt_pricing_options_bucket{le="1",job="b"}[1h]))', []],
  ])("the test itself sees what is wrong in %p", (expression, faults) => {
    expect(faultsOf(expression)).toEqual(faults);
  });
});

describe("S2.10 dashboards", () => {
  test("three, under names of their own", () => {
    expect(dashboards.map(([name, { uid }]) => [name, uid])).toEqual([
      ["health.json", "bsopt-health"],
      ["market.json", "bsopt-market"],
      ["service.json", "bsopt-service"],
    ]);
  });

  test.each(dashboards)("%s: panels lie beside each other, each told by a legend", (_, { panels }) => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const places = panels.map(({ gridPos }) => `${gridPos.x},${gridPos.y}`);
    expect(new Set(places).size).toBe(panels.length);
    for (const { gridPos, targets } of panels) {
      expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
      expect(new Set(targets.map(({ refId }) => refId)).size).toBe(targets.length);
      for (const { legendFormat } of targets) expect(legendFormat).not.toBe("");
    }
  });
});

describe("S2.10 alerts", () => {
  const page = readFileSync(join(root, "docs/operating/alerts.md"), "utf8");

  test.each(rules.map((rule) => [rule.alert, rule] as const))(
    "%s has a severity and its page of what to do",
    (alert, rule) => {
      expect(["critical", "warning"]).toContain(rule.labels.severity);
      expect(rule.annotations.runbook).toBe(`docs/operating/alerts.md#${alert.toLowerCase()}`);
      expect(page).toContain(`\n## ${alert}\n`);
    },
  );

  test("the page tells of no other", () => {
    const told = [...page.matchAll(/^## (.+)$/gm)].map(([, name]) => name!);
    expect(told.sort()).toEqual(rules.map(({ alert }) => alert).sort());
  });
});

/** Series a minute apart, as Prometheus' tests write them, that make an alert fire, and some that are near and do not. */
interface Firing {
  readonly fires: Readonly<Record<string, string>>;
  readonly stays: Readonly<Record<string, string>>;
}

const latencyBuckets = (name: string, labels: string, bounds: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(bounds).map(([le, values]) => [`${name}_bucket{${labels}le="${le}"}`, values]));

const cases: Readonly<Record<string, Firing>> = {
  BsoptDown: { fires: { 'up{job="bsopt"}': "0x70" }, stays: { 'up{job="bsopt"}': "1x70", 'up{job="other"}': "0x70" } },
  BsoptRestarts: {
    fires: { 'process_start_time_seconds{job="bsopt"}': "0+120x70" },
    stays: { 'process_start_time_seconds{job="bsopt"}': "7x50 9x20" },
  },
  BsoptCheckFailed: {
    fires: { 'health_check_status{component="database"}': "1x60 0x9" },
    stays: { 'health_check_status{component="database"}': "0x50 0.5x20" },
  },
  BsoptCheckDegraded: {
    fires: { 'health_check_status{component="redis"}': "0.5x70" },
    stays: { 'health_check_status{component="redis"}': "0.5x60 1x10" },
  },
  BsoptCheckSlow: {
    fires: { 'health_check_latency_ms{component="smtp"}': "1200x70" },
    stays: { 'health_check_latency_ms{component="smtp"}': "900x70" },
  },
  BsoptLoopDead: {
    fires: { 'bsopt_agent_up{agent="outbox-sender"}': "1x50 0x20" },
    stays: { 'bsopt_agent_up{agent="outbox-sender"}': "0x60 1x10" },
  },
  BsoptUnforeseen: {
    fires: { 'bsopt_unforeseen_errors_total{kind="unhandled_rejection"}': "0x58 1x12" },
    stays: { 'bsopt_unforeseen_errors_total{kind="unhandled_rejection"}': "0x20 1x50" },
  },
  BsoptEventLoopLate: {
    fires: latencyBuckets("bsopt_event_loop_lag_seconds", "", {
      "0.1": "0+90x70",
      "0.25": "0+100x70",
      "+Inf": "0+100x70",
    }),
    stays: latencyBuckets("bsopt_event_loop_lag_seconds", "", {
      "0.1": "0+100x70",
      "0.25": "0+100x70",
      "+Inf": "0+100x70",
    }),
  },
  BsoptErrors: {
    fires: { 'http_requests_total{status="500"}': "0+2x70", 'http_requests_total{status="200"}': "0+98x70" },
    stays: { 'http_requests_total{status="422"}': "0+50x70", 'http_requests_total{status="200"}': "0+50x70" },
  },
  BsoptOverloaded: {
    fires: { bsopt_requests_shed_total: "0+600x70" },
    stays: { bsopt_requests_shed_total: "0+30x70" },
  },
  BsoptPricingSlow: {
    fires: latencyBuckets("http_request_duration_seconds", 'route="/api/v1/pricing/price",', {
      "0.005": "0+90x70",
      "0.01": "0+100x70",
      "+Inf": "0+100x70",
    }),
    stays: latencyBuckets("http_request_duration_seconds", 'route="/api/v1/pricing/batch",', {
      "0.005": "0+90x70",
      "0.01": "0+100x70",
      "+Inf": "0+100x70",
    }),
  },
  BsoptBatchesPileUp: {
    fires: { bsopt_engine_batches_under_way: "16x70" },
    stays: { bsopt_engine_batches_under_way: "11x70" },
  },
  BsoptCredentialsGuessed: {
    fires: { 'bsopt_auth_refused_total{kind="unauthenticated",code="API_KEY_INVALID"}': "0+600x70" },
    stays: { 'bsopt_auth_refused_total{kind="forbidden",code="PERMISSION_MISSING"}': "0+600x70" },
  },
  BsoptLimitsRefuse: {
    fires: {
      'bsopt_rate_limit_decisions_total{bucket="user",decision="refused"}': "0+30x70",
      'bsopt_rate_limit_decisions_total{bucket="user",decision="allowed"}': "0+70x70",
    },
    stays: {
      'bsopt_rate_limit_decisions_total{bucket="user",decision="refused"}': "0+10x70",
      'bsopt_rate_limit_decisions_total{bucket="user",decision="allowed"}': "0+90x70",
    },
  },
  BsoptWritesQueue: {
    fires: { bsopt_database_writes_queued: "2000x70" },
    stays: { bsopt_database_writes_queued: "1000x70" },
  },
  BsoptCommitsSlow: {
    fires: latencyBuckets("bsopt_database_commit_seconds", "", {
      "0.05": "0+90x70",
      "0.1": "0+100x70",
      "+Inf": "0+100x70",
    }),
    stays: latencyBuckets("bsopt_database_commit_seconds", "", {
      "0.05": "0+100x70",
      "0.1": "0+100x70",
      "+Inf": "0+100x70",
    }),
  },
  BsoptWritesRefused: {
    fires: { bsopt_database_writable: "0x70" },
    stays: { bsopt_database_writable: "1x70" },
  },
  BsoptDatabaseBusy: {
    fires: { bsopt_database_busy_total: "0+600x70" },
    stays: { bsopt_database_busy_total: "0+100x70" },
  },
  BsoptLogOfWritesGrows: {
    fires: { 'bsopt_database_file_bytes{file="wal"}': "300000000x70" },
    stays: { 'bsopt_database_file_bytes{file="database"}': "300000000x70" },
  },
  BsoptBackupMissing: {
    fires: { bsopt_backup_interval_seconds: "600x70", bsopt_backup_last_success_timestamp_seconds: "60x70" },
    // one that comes on time, and one that is not scheduled
    stays: {
      'bsopt_backup_interval_seconds{instance="a"}': "600x70",
      'bsopt_backup_last_success_timestamp_seconds{instance="a"}': "0+60x70",
      'bsopt_backup_interval_seconds{instance="b"}': "0x70",
      'bsopt_backup_last_success_timestamp_seconds{instance="b"}': "0x70",
    },
  },
  BsoptMailsWait: {
    fires: { bsopt_outbox_messages_pending: "101x70" },
    stays: { bsopt_outbox_messages_pending: "100x70" },
  },
  BsoptEventsWait: {
    fires: { bsopt_events_waiting: "10001x70", bsopt_events_dropped_total: "0x70" },
    stays: { bsopt_events_waiting: "10000x70", bsopt_events_dropped_total: "5x70" },
  },
  BsoptMailsGivenUp: {
    fires: { 'bsopt_outbox_messages_total{outcome="given_up"}': "0x40 1x30" },
    stays: { 'bsopt_outbox_messages_total{outcome="retried"}': "0x40 9x30" },
  },
  BsoptFilesRunOut: {
    fires: { 'process_open_fds{job="bsopt"}': "900x70", 'process_max_fds{job="bsopt"}': "1000x70" },
    stays: { 'process_open_fds{job="bsopt"}': "900x70", 'process_max_fds{job="bsopt"}': "0x70" },
  },
  BsoptMemoryHigh: {
    fires: { 'process_resident_memory_bytes{job="bsopt"}': "1100000000x70" },
    stays: { 'process_resident_memory_bytes{job="bsopt"}': "900000000x70" },
  },
};

describe.skipIf(!hasPromtool)("S2.10 Prometheus' own evaluator", () => {
  const folder = mkdtempSync(join(tmpdir(), "bsopt-rules-"));
  afterAll(() => rmSync(folder, { recursive: true }));

  test("takes the rules and the configuration that finds them", async () => {
    const checked = await promtool(["check", "rules", rulesPath]);
    expect([checked.code, checked.output]).toEqual([
      0,
      expect.stringContaining(`SUCCESS: ${rules.length} rules found`),
    ]);
    const { code, output } = await promtool(["check", "config", join(root, "deploy/prometheus/prometheus.yml")]);
    expect([code, output]).toEqual([0, expect.stringContaining("is valid prometheus config file syntax")]);
  });

  test("knows every alert of the cases and the cases every alert", () => {
    expect(Object.keys(cases).sort()).toEqual(rules.map(({ alert }) => alert).sort());
  });

  // Told to expect no alert, it fails exactly where one fires.
  for (const [alert, { fires, stays }] of Object.entries(cases)) {
    test(`${alert} fires when it should and stays quiet nearby`, async () => {
      expect(await firing(alert, fires)).toBe(true);
      expect(await firing(alert, stays)).toBe(false);
    });
  }

  /** Whether the alert fires at the end of 70 minutes of these series. */
  async function firing(alert: string, series: Readonly<Record<string, string>>): Promise<boolean> {
    const file = join(folder, "case.yml");
    const input = Object.entries(series).map(([name, values]) => ({ series: name, values }));
    const at = { eval_time: "69m", alertname: alert, exp_alerts: [] };
    const tests = [{ interval: "1m", input_series: input, alert_rule_test: [at] }];
    // JSON is YAML.
    writeFileSync(file, JSON.stringify({ rule_files: [rulesPath], evaluation_interval: "1m", tests }));
    const { code, output } = await promtool(["test", "rules", file]);
    if (code !== 0) expect(output).toContain(`alertname: ${alert}`);
    return code !== 0;
  }
});
