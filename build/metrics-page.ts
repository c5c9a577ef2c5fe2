// docs/reference/metrics.md, from the table that the registry itself is made of. Separate from the other pages because it shares nothing
// with them.

import { type MetricDefinition, metricDefinitions } from "../src/telemetry/metric-definitions";

function section([name, { kind, help, labels, buckets }]: readonly [string, MetricDefinition]): string {
  const lines = [`### \`${name}\``, "", `${kind[0]!.toUpperCase()}${kind.slice(1)}. ${help}`];
  const words = Object.entries(labels).map(([label, meaning]) => `- \`${label}\`: ${meaning}`);
  if (words.length > 0) lines.push("", ...words);
  if (buckets) lines.push("", `Buckets: ${buckets.join(", ")}.`);
  return lines.join("\n");
}

/** The page's whole text. */
export function metricsPage(): string {
  return `# Metrics

What \`GET /metrics\` tells, in Prometheus' text format. It is open to whoever asks from the machine itself (a loopback address, and no
header that a proxy adds: Forwarded, X-Forwarded-*, X-Real-IP, Via), and needs the permission \`admin\` from anywhere else. A proxy on the
same machine that adds none of these headers opens it to the world: let it add X-Forwarded-For, as every example here does.

Every series is there from the start, at 0. Counters begin at 0 with each start of the process. A histogram has the series
\`_bucket\`, \`_sum\` and \`_count\`.

${Object.entries(metricDefinitions).map(section).join("\n\n")}
`;
}
