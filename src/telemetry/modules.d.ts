// The library's parts by themselves: its front door also brings a push gateway, a cluster's registry and metrics of another runtime, which
// would cost every start twenty milliseconds.

declare module "prom-client/lib/registry" {
  const registry: typeof import("prom-client").Registry;
  export default registry;
}

declare module "prom-client/lib/counter" {
  const counter: typeof import("prom-client").Counter;
  export default counter;
}

declare module "prom-client/lib/gauge" {
  const gauge: typeof import("prom-client").Gauge;
  export default gauge;
}
