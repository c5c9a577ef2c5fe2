// The API's document: valid by three judges who know nothing of us, complete, the same as committed, and true: its
// examples run, and a client made from it prices an option.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { validate as validateByScalar } from "@scalar/openapi-parser";
import { Validator } from "@seriousme/openapi-schema-validator";
import { Type } from "@sinclair/typebox";
import Ajv2020 from "ajv/dist/2020";
import addFormats from "ajv-formats";
import { openApiPath, openApiText } from "../../build/openapi";
import { openApiDocument } from "../../src/http/openapi";
import type { Route } from "../../src/http/routes";
import { startApp } from "../harness/app";
import { testServer } from "../harness/http";
import { tokenInMail } from "../harness/mail-server";
import { compileErrors, runClient, writeClient } from "../harness/openapi-client";
import { until } from "../harness/storage";
import { probeRoutes } from "./probe-routes";

interface Media {
  readonly schema: { readonly $ref?: string; readonly oneOf?: readonly { readonly $ref: string }[] };
  readonly examples?: Readonly<Record<string, { readonly value: unknown }>>;
}
interface Operation {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly security: readonly object[];
  readonly description?: string;
  readonly parameters?: readonly {
    readonly name?: string;
    readonly in?: string;
    readonly required?: boolean;
    readonly schema?: { readonly examples?: readonly string[] };
  }[];
  readonly requestBody?: { readonly content: { readonly "application/json": Media } };
  readonly responses: Readonly<
    Record<string, { readonly $ref?: string; readonly content?: { readonly "application/json": Media } }>
  >;
}
interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
}

const text = openApiText();
const document = JSON.parse(text) as Document;
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
);

const folder = mkdtempSync(join(tmpdir(), "bsopt-openapi-"));
let app: Awaited<ReturnType<typeof startApp>>;
beforeAll(async () => {
  app = await startApp(folder);
});
afterAll(async () => {
  await app.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe("S2.46 the document", () => {
  test("is what openapi.json says (else: bun build/openapi.ts)", () => {
    expect(readFileSync(openApiPath, "utf8")).toBe(text);
  });

  test("is served at both addresses, byte for byte, without a key", async () => {
    for (const path of ["/openapi.json", "/swagger/json"]) {
      const response = await fetch(app.url + path);
      expect(response.headers.get("content-type")).toBe("application/json");
      expect(await response.text()).toBe(text);
    }
  });

  test("is valid for @seriousme/openapi-schema-validator, as 3.1", async () => {
    const validator = new Validator();
    const found = await validator.validate(structuredClone(document) as never);
    expect([found.valid, found.errors, validator.version]).toEqual([true, undefined, "3.1"]);
  });

  test("is valid for @scalar/openapi-parser", async () => {
    const found = await validateByScalar(structuredClone(document) as never);
    expect([found.valid, found.errors]).toEqual([true, []]);
  });

  test("is valid for @redocly/cli by the rules of the specification", async () => {
    writeFileSync(join(folder, "redocly.yaml"), "extends:\n  - spec\n");
    writeFileSync(join(folder, "openapi.json"), text);
    const cli = join(import.meta.dir, "../../node_modules/@redocly/cli/bin/cli.js");
    const child = Bun.spawn([process.execPath, cli, "lint", "--config", "redocly.yaml", "openapi.json"], {
      cwd: folder,
      env: { ...process.env, REDOCLY_TELEMETRY: "off", REDOCLY_SUPPRESS_UPDATE_NOTICE: "true" },
      stdout: "pipe",
      stderr: "pipe",
    });
    const [told, code] = await Promise.all([new Response(child.stderr).text(), child.exited]);
    expect([code, code === 0 ? "" : told]).toEqual([0, ""]);
  }, 60_000);

  test("a broken document is refused by both judges that are libraries, so their word counts", async () => {
    const broken = structuredClone(document) as unknown as {
      paths: Record<string, Record<string, { responses: unknown }>>;
    };
    broken.paths["/health"]!.get!.responses = "none";
    expect((await new Validator().validate(structuredClone(broken) as never)).valid).toBe(false);
    expect((await validateByScalar(structuredClone(broken) as never)).valid).toBe(false);
  });
});

describe("S1.08 every operation", () => {
  test("has a camelCase operation id of its own and exactly one tag", () => {
    const ids = operations.map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { operation } of operations) {
      expect(operation.operationId).toMatch(/^[a-z][A-Za-z0-9]*$/);
      expect(operation.tags).toHaveLength(1);
    }
  });

  test("names its schemas: no body and no answer is written out in place", () => {
    for (const { operation } of operations) {
      const media = [
        operation.requestBody?.content["application/json"],
        ...Object.values(operation.responses).map((response) => response.content?.["application/json"]),
      ];
      for (const { schema } of media.filter((found) => found !== undefined)) {
        const references = schema.oneOf ?? [schema];
        for (const { $ref } of references as { $ref?: string }[]) expect($ref).toStartWith("#/components/schemas/");
      }
    }
  });

  test("tells the problems it can answer", () => {
    for (const { operation } of operations) {
      const statuses = new Set(Object.keys(operation.responses));
      const expected = ["400", "500"];
      if (operation.security.length > 0) expected.push("401", "403", "429", "503");
      if (operation.requestBody) expected.push("411", "413", "415", "422");
      for (const status of expected) expect([operation.operationId, status, statuses.has(status)]).toContain(true);
    }
  });

  test("the batch's body is one of BatchColumns and BatchRows", () => {
    const batch = document.paths["/api/v1/pricing/batch"]?.post?.requestBody?.content["application/json"].schema;
    expect(batch).toEqual({
      oneOf: [{ $ref: "#/components/schemas/BatchColumns" }, { $ref: "#/components/schemas/BatchRows" }],
    });
  });

  test("answers 401 with a problem where it needs a key and none is sent, in the running server", async () => {
    for (const { path, method, operation } of operations) {
      // As through a proxy: /metrics is open to this very machine.
      const headers = { "x-forwarded-for": "203.0.113.9" };
      const response = await fetch(app.url + path.replace(/\{[^}]+\}/g, "a"), { method, headers });
      if (operation.security.length > 0) {
        expect([path, response.status, response.headers.get("content-type")]).toEqual([
          path,
          401,
          "application/problem+json",
        ]);
      } else {
        // What is open to all and takes a body wants one.
        const isBodyAsked = operation.requestBody !== undefined && (response.status === 411 || response.status === 415);
        expect([path, isBodyAsked ? 200 : response.status]).toEqual([path, 200]);
      }
      await response.arrayBuffer();
    }
  });
});

describe("S1.08 every example", () => {
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  addFormats(ajv);
  ajv.addSchema({ $id: "document", ...document });
  const faultsOf = (pointer: string, value: unknown) => {
    const check = ajv.getSchema(`document#${pointer}`);
    if (!check) throw new Error(`no schema at ${pointer}`);
    return check(value) ? [] : check.errors;
  };
  const neededStates: Readonly<Record<string, string>> = {
    confirmTotp: "TOTP_NOT_SET_UP",
    disableTotp: "TOTP_NOT_SET_UP",
    getCsrfToken: "COOKIE_SESSION_NEEDED",
  };
  /** The access token of somebody with the password of the examples. */
  async function newPerson(): Promise<string> {
    const post = async (path: string, body: object) => {
      const response = await fetch(`${app.url}/api/v1/${path}`, {
        method: "POST",
        headers: { "x-api-key": app.key, "content-type": "application/json" },
        body: JSON.stringify(body),
      });
      return (await response.json()) as { readonly access_token: string };
    };
    peopleCount += 1;
    const email = `person-${peopleCount}@example.org`;
    const password = "seven-green-boats";
    await post("admin/users", { email, name: "Somebody", role: "admin" });
    const mails = join(folder, "data", "mail");
    const mailed = () =>
      (existsSync(mails) ? readdirSync(mails) : [])
        .filter((name) => name.endsWith(".eml"))
        .map((name) => readFileSync(join(mails, name), "utf8"))
        .find((mail) => mail.includes(`To: ${email}`));
    await until(`a mail came to ${email}`, () => mailed() !== undefined);
    await post("auth/password/reset", { token: tokenInMail(mailed()!), password });
    return (await post("auth/login", { email, password })).access_token;
  }
  let peopleCount = 0;
  const escaped = (part: string) => part.replaceAll("~", "~0").replaceAll("/", "~1");
  const mediaPointer = (path: string, method: string, rest: string, media = "application/json") =>
    `/paths/${escaped(path)}/${method.toLowerCase()}/${rest}/content/${escaped(media)}/schema`;

  for (const { path, method, operation } of operations) {
    const media = operation.requestBody?.content["application/json"];
    const bodies: [string, unknown][] = Object.entries(media?.examples ?? {}).map(([name, { value }]) => [name, value]);
    test(`of ${operation.operationId} runs, and the answer fits what the document says`, async () => {
      if (media) expect(bodies.length).toBeGreaterThan(0);
      for (const [name, body] of media ? bodies : ([["none", undefined]] as [string, unknown][])) {
        if (body !== undefined) expect(faultsOf(mediaPointer(path, method, "requestBody"), body)).toEqual([]);
        const target = path.replace(/\{([^}]+)\}/g, (_, wanted: string) => {
          const parameter = operation.parameters?.find((found) => found.in === "path" && found.name === wanted);
          return encodeURIComponent(parameter?.schema?.examples?.[0] ?? "missing-example");
        });
        const query = new URLSearchParams(
          (operation.parameters ?? [])
            .filter((found) => found.in === "query" && found.required === true)
            .map(({ name = "", schema }): [string, string] => [
              name,
              String(schema?.examples?.[0] ?? "missing-example"),
            ]),
        );
        const question = query.size > 0 ? `?${query}` : "";
        // What a person asks for themselves a key may not: somebody new signs in for it, as some of it ends sessions and people.
        const isForPeople = operation.description?.includes("not a key") === true;
        const credentials = isForPeople ? { authorization: `Bearer ${await newPerson()}` } : { "x-api-key": app.key };
        const response = await fetch(app.url + target + question, {
          method,
          headers: { ...credentials, ...(body !== undefined && { "content-type": "application/json" }) },
          ...(body !== undefined && { body: JSON.stringify(body) }),
        });
        const answer = await response.text();
        // A thing that only an example names is rightly not found; and nobody new has a second factor or a cookie.
        const needed = neededStates[operation.operationId];
        const isWithoutState = needed !== undefined && answer.includes(`"code":"${needed}"`);
        // An example of a secret opens nothing, and a token that only an example names was never mailed to anybody.
        const isSecretRefused = response.status === 401 && operation.security.length === 0;
        const isNeverMailed = response.status === 422 && answer.includes('"code":"TOKEN_INVALID"');
        const isUnknown = path.includes("{") && response.status === 404;
        const isExpected = response.ok || isUnknown || isWithoutState || isSecretRefused || isNeverMailed;
        expect([operation.operationId, name, isExpected ? "" : answer]).toEqual([operation.operationId, name, ""]);
        expect(Object.keys(operation.responses)).toContain(String(response.status));
        if (response.ok && answer !== "") {
          const media = response.headers.get("content-type")?.split(";")[0] ?? "";
          const value = media === "text/plain" ? answer : JSON.parse(answer);
          expect(faultsOf(mediaPointer(path, method, `responses/${response.status}`, media), value)).toEqual([]);
        }
      }
    });

    for (const [status, response] of Object.entries(operation.responses)) {
      for (const [name, { value }] of Object.entries(response.content?.["application/json"]?.examples ?? {})) {
        test(`answer ${name} of ${operation.operationId} fits its own schema`, () => {
          expect(faultsOf(mediaPointer(path, method, `responses/${status}`), value)).toEqual([]);
        });
      }
    }
  }

  const tableTypes = ["application/x-ndjson", "text/csv", "application/vnd.apache.arrow.stream"];
  for (const { path, method, operation } of operations) {
    const content = (operation.requestBody?.content ?? {}) as Record<string, Media>;
    if (!("text/csv" in content)) continue;
    if (!("application/vnd.apache.arrow.stream" in content)) {
      test(`of ${operation.operationId} as text runs`, async () => {
        expect(Object.keys(content).sort()).toEqual(["application/json", ...tableTypes.slice(0, 2)].sort());
        for (const type of tableTypes.slice(0, 2)) {
          const examples = Object.values(content[type]!.examples ?? {});
          expect([type, examples.length]).toEqual([type, 1]);
          const response = await fetch(`${app.url}${path}`, {
            method,
            headers: { "x-api-key": app.key, "content-type": type },
            body: examples[0]!.value as string,
          });
          const answer = (await response.json()) as { faults: unknown };
          expect([type, response.status, answer.faults]).toEqual([type, 200, []]);
          expect(faultsOf(mediaPointer(path, method, "responses/200"), answer)).toEqual([]);
        }
      });
      continue;
    }
    test(`of ${operation.operationId} as a table runs, and goes out in each type it names`, async () => {
      expect(Object.keys(content).sort()).toEqual(["application/json", ...tableTypes].sort());
      expect(Object.keys(operation.responses["200"]!.content!).sort()).toEqual(Object.keys(content).sort());
      const told = tableTypes.flatMap((type) =>
        Object.values(content[type]!.examples ?? {}).map(({ value }) => ({ type, body: value as string })),
      );
      expect(told.map(({ type }) => type)).toEqual(tableTypes.slice(0, 2));
      for (const { type, body } of told) {
        for (const accept of tableTypes) {
          const response = await fetch(`${app.url}${path}?model=black_scholes_merton`, {
            method,
            headers: { "x-api-key": app.key, "content-type": type, accept },
            body,
          });
          expect([type, response.status, response.headers.get("content-type")]).toEqual([type, 200, accept]);
          await response.arrayBuffer();
        }
      }
    });
  }

  test("a problem of the running server fits the document's problem", async () => {
    const response = await fetch(`${app.url}/api/v1/pricing/price`, {
      method: "POST",
      headers: { "x-api-key": app.key, "content-type": "application/json" },
      body: '{"spto":1}',
    });
    expect(faultsOf("/components/schemas/Problem", await response.json())).toEqual([]);
  });
});

describe("S1.08 a client made from the document", () => {
  test("compiles under strict, refuses what the contract refuses, and prices an option here", async () => {
    await writeClient(document, folder);
    // The second file misspells, mistakes and leaves out a field: the compiler must say so of it, and of nothing else.
    const errors = compileErrors(folder);
    expect(errors.map((line) => line.split(" ")[0])).toEqual(["wrong.ts:3", "wrong.ts:4", "wrong.ts:5"]);
    const report = await runClient(folder, { url: app.url, key: app.key });
    expect(report).toMatchObject({
      status: "ok",
      batch: { count: 2 },
      rows: { count: 1 },
      problem: "SCHEMA_INVALID",
    });
    expect(report.models).toContain("black_scholes_merton");
    expect(report.price).toBeCloseTo(3.9, 0);
    expect(report.batch.prices[0]).toBe(report.price);
  }, 60_000);
});

describe("the generator", () => {
  const info = { title: "t", version: "1", description: "d" };
  const base = testServer({ features: [probeRoutes()] }).server.routes.routes.find(
    ({ pattern }) => pattern === "/open",
  ) as Route;
  const schemaOf = (schema: Parameters<typeof Type.Array>[0]) =>
    (
      openApiDocument(
        [{ ...base, responses: { 200: Type.Object({ x: schema }, { $id: "X", additionalProperties: false }) } }],
        info,
      ) as never as {
        components: { schemas: { X: { properties: { x: object } } } };
      }
    ).components.schemas.X.properties.x;

  const rows: readonly (readonly [string, Parameters<typeof Type.Array>[0], object])[] = [
    [
      "a union of constants as an enum",
      Type.Union([Type.Literal("a"), Type.Literal("b")]),
      { type: "string", enum: ["a", "b"] },
    ],
    ["constants of several kinds without a type", Type.Union([Type.Literal("a"), Type.Literal(1)]), { enum: ["a", 1] }],
    [
      "a nullable type as two types",
      Type.Union([Type.Number({ minimum: 0 }), Type.Null()]),
      { type: ["number", "null"], minimum: 0 },
    ],
    [
      "a nullable enum as a choice",
      Type.Union([Type.Union([Type.Literal("a"), Type.Literal("b")]), Type.Null()]),
      { anyOf: [{ type: "string", enum: ["a", "b"] }, { type: "null" }] },
    ],
    [
      "a record by its values",
      Type.Record(Type.String(), Type.Number(), { additionalProperties: false }),
      { type: "object", additionalProperties: { type: "number" } },
    ],
    ["an exclusive bound as a number", Type.Number({ exclusiveMinimum: 0 }), { type: "number", exclusiveMinimum: 0 }],
    [
      "a named part by reference",
      Type.Array(Type.Object({}, { $id: "Part", additionalProperties: false })),
      { type: "array", items: { $ref: "#/components/schemas/Part" } },
    ],
  ];
  for (const [name, schema, written] of rows) {
    test(`writes ${name}`, () => {
      expect(schemaOf(schema)).toEqual(written);
    });
  }

  test("refuses an answer without a name, and two schemas of one name", () => {
    const unnamed = { ...base, responses: { 200: Type.Object({}, { additionalProperties: false }) } };
    expect(() => openApiDocument([unnamed], info)).toThrow("GET response 200");
    const twice = Type.Object(
      {
        a: Type.Object({}, { $id: "Same", additionalProperties: false }),
        b: Type.Object({ c: Type.Null() }, { $id: "Same", additionalProperties: false }),
      },
      { $id: "Whole", additionalProperties: false },
    );
    expect(() => openApiDocument([{ ...base, responses: { 200: twice } }], info)).toThrow("named Same");
  });
});
