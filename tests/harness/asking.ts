// A client of a server that things happen to: asks for what needs the database and what does not, and says how long each took and
// what came, never throwing. Each key it asks for has the name of its request's Idempotency-Key.

import type { Loose, Serving } from "./executable";

export interface Answer {
  /** 0 where none came. */
  readonly status: number;
  readonly code: string | null;
  readonly body: Loose;
  readonly headers: Headers;
  readonly milliseconds: number;
}

const option = {
  model: "black_scholes_merton",
  option_type: "call",
  spot: 100,
  strike: 100,
  time_to_expiry: 1,
  rate: 0.05,
  volatility: 0.2,
};

export class Asking {
  readonly #serving: Pick<Serving, "url">;
  readonly #key: string;

  constructor(serving: Pick<Serving, "url">, key: string) {
    this.#serving = serving;
    this.#key = key;
  }

  async request(method: string, path: string, body?: object, headers: Record<string, string> = {}): Promise<Answer> {
    const begunAt = performance.now();
    try {
      const response = await fetch(this.#serving.url + path, {
        method,
        headers: { "content-type": "application/json", "x-api-key": this.#key, ...headers },
        ...(body && { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(30_000),
      });
      const text = await response.text();
      const read = text.startsWith("{") ? JSON.parse(text) : text;
      const milliseconds = performance.now() - begunAt;
      return { status: response.status, code: read.code ?? null, body: read, headers: response.headers, milliseconds };
    } catch (error) {
      const milliseconds = performance.now() - begunAt;
      return { status: 0, code: null, body: String(error), headers: new Headers(), milliseconds };
    }
  }

  /** A write; asked again under the same name it must have its one effect. */
  makeKey(name: string): Promise<Answer> {
    return this.request(
      "POST",
      "/api/v1/api-keys",
      { name, scopes: ["pricing:read"] },
      { "idempotency-key": `key-${name}` },
    );
  }

  /** Names of all living keys, in order, the first administrator's left out. */
  async keyNames(): Promise<string[]> {
    const names: string[] = [];
    let cursor: string | null = null;
    do {
      const page: Answer = await this.request("GET", `/api/v1/api-keys?limit=200${cursor ? `&cursor=${cursor}` : ""}`);
      if (page.status !== 200) throw new Error(`the list of keys is ${page.status} ${page.code}`);
      names.push(...page.body.data.map(({ name }: { name: string }) => name));
      cursor = page.body.next_cursor;
    } while (cursor);
    return names.filter((name) => name !== "first administrator").sort();
  }

  price(): Promise<Answer> {
    return this.request("POST", "/api/v1/pricing/price", option);
  }

  /** Its status, whole and by component, with its message where it has one. */
  async readiness(): Promise<{ http: number; status: string; components: Record<string, string> }> {
    const { status, body } = await this.request("GET", "/readiness");
    const components: Record<string, string> = {};
    for (const { component, status: found, message } of body.checks ?? []) {
      components[component] = message === undefined ? found : `${found}: ${message}`;
    }
    return { http: status, status: body.status, components };
  }

  /** A metric's value, by its name with its labels as they are written there. */
  async metric(name: string): Promise<number> {
    const { status, body } = await this.request("GET", "/metrics");
    if (status !== 200) throw new Error(`the metrics are ${status}: ${JSON.stringify(body)}`);
    const line = (body as string).split("\n").find((each) => each.startsWith(`${name} `));
    if (line === undefined) throw new Error(`no metric ${name}`);
    return Number(line.slice(name.length + 1));
  }
}
