// What GET /metrics says: text, not JSON.

import { Type } from "@sinclair/typebox";

export const MetricsAnswer = Type.String({
  $id: "Metrics",
  description: "Every metric with its help, type and series.",
  examples: ["# HELP process_open_fds Open files and sockets.\n# TYPE process_open_fds gauge\nprocess_open_fds 24\n"],
});
