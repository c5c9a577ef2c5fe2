// What may pass into the log and what may not, line by line, each finished line still JSON; and that no text makes it slow.

import { describe, expect, test } from "bun:test";
import { createLog } from "../../../src/telemetry/log";
import { redacted } from "../../../src/telemetry/redaction";

/** What a log writes of one entry. */
function written(fields: object, message = "said"): { readonly text: string; readonly json: Record<string, unknown> } {
  let text = "";
  const destination = {
    write(line: string) {
      text += line;
    },
  };
  createLog({ level: "debug", version: "1.2.3", destination }).info(fields, message);
  return { text, json: JSON.parse(text) };
}

const canary = "canary7391";

describe("S4.55 S2.36 the log never says", () => {
  const rows: readonly (readonly [string, object])[] = [
    ["a password three levels down", { a: { b: { c: { new_password: canary } } } }],
    ["a token in a list", { list: [{ refresh_token: canary }, { mfa_token: canary }] }],
    ["a header of whatever case", { request: { headers: { deep: { Authorization: canary, "Set-Cookie": canary } } } }],
    ["a value with quotes and backslashes in it", { a: { secret: `x"y\\"${canary}\\` } }],
    ["a client secret beside identifiers", { client_secret: canary, user_id: "u-1" }],
    ["a body that was kept as text", { body: JSON.stringify({ email: "x", password: `a${canary}` }) }],
    ["a body kept as text within a text", { body: JSON.stringify({ text: JSON.stringify({ password: canary }) }) }],
    ["a quoted password with an escape in it", { body: JSON.stringify({ password: `a\n\t${canary}` }) }],
    ["an outbox payload", { message: { payload: canary } }],
    ["a key in a sentence", { text: `key bso_abcdefghijkl_${canary}ABC was sent` }],
    ["a bearer token in a sentence", { text: `sent Authorization: Bearer ${canary}-._~+/=` }],
    ["a basic credential", { text: `basic ${Buffer.from(canary).toString("base64")}${canary}` }],
    ["a signed token", { text: `token eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ1In0.${canary}` }],
    ["a mail address", { text: `mail to ${canary}@desk.example failed` }],
    ["a mail address of another script", { text: `mail to ${canary}.müller@büro.example failed` }],
    ["a mail address at this machine", { text: `<${canary}@localhost>` }],
    ["an address's password", { text: `connect redis://user:${canary}@10.0.0.7:6379/0 refused` }],
    ["an address's user", { url: `smtps://${canary}@mail.example` }],
    ["where somebody called from", { ip_address: canary, user_agent: canary, peer: canary }],
    ["what an error's message brought", { err: new Error(`cannot reach smtp://a:${canary}@mail.example`) }],
    ["what an error's cause brought", { err: new Error("failed", { cause: new Error(`Bearer ${canary}`) }) }],
    ["what an error carries", { err: Object.assign(new Error("failed"), { config: { auth: { password: canary } } }) }],
  ];
  test.each(rows)("%s", (_, fields) => {
    const { text } = written(fields);
    expect(text).not.toContain(canary);
    expect(text).toContain("[redacted]");
  });

  test("what stands in the message itself", () => {
    expect(written({}, `no mail for ${canary}@desk.example`).json.message).toBe("no mail for [redacted]");
  });
});

test("S4.55 a line stays what it is where there is nothing to withhold", () => {
  const fields = {
    request_id: "3d7adf4b4a6d66c7-1",
    user_id: "01990000-0000-7000-8000-000000000001",
    key_id: "abcdefghijkl",
    token_id: "tttttt",
    route: "/api/v1/auth/password/reset",
    path: "/srv/node_modules/.bun/pino@10.4.0/node_modules/@libsql/client/lib-esm/sqlite3.js:653:20",
    url: "http://127.0.0.1:8080",
    code: "TOKEN_INVALID",
    text: 'he said "no" and C:\\temp\\password stayed',
    count: 3,
  };
  expect(written(fields).json).toMatchObject({ ...fields, message: "said" });
  const line = JSON.stringify(fields);
  expect(redacted(line)).toBe(line);
});

test("S4.55 an address keeps its host, a key its id", () => {
  const { json } = written({ text: "redis://u:p@10.0.0.7:6379 and bso_abcdefghijkl_S3cr3t" });
  expect(json.text).toBe("redis://[redacted]@10.0.0.7:6379 and bso_abcdefghijkl_[redacted]");
});

test.each([
  ["letters", "a"],
  ["quotes", '"'],
  ["backslashes", "\\"],
  ["beginnings of tokens", "eyJ-"],
  ["beginnings of keys", "bso_a_"],
  ["beginnings of addresses", "a://"],
  ["ats", "a@"],
  ["open members", '\\"password\\":\\"'],
])(
  "a line of 300,000 characters of %s comes through; were it a matter of squares, it would not within the test's time",
  (_, piece) => {
    const text = piece.repeat(Math.ceil(300_000 / piece.length));
    expect(redacted(text).length).toBeGreaterThan(0);
  },
);
