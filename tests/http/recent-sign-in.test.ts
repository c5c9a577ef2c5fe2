// What a session may do only while its sign-in is recent, and how the password or a code shown again makes it so.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { auditEvents } from "../../src/features/audit/table";
import { bytesOfBase32, totpCode, totpStepOf } from "../../src/features/login/rules";
import type { Answer } from "../harness/http";
import { adasPassword, bearer, type LoginFixture, openLogin } from "../harness/login";
import { releaseMachineClock } from "../harness/tokens";

releaseMachineClock();

let fixture: LoginFixture;
beforeEach(async () => {
  fixture = await openLogin();
});
afterEach(() => fixture.close());

const second = 1_000;
const minute = 60 * second;
const tokenOf = (answer: Answer) => bearer(answer.json.access_token);
const outcome = ({ status, json }: Answer) => [status, json?.code ?? null];
const events = async () => (await fixture.storage.read.select().from(auditEvents)).map(({ eventType }) => eventType);
const codeOf = (secret: string, stepsAway = 0) =>
  totpCode(bytesOfBase32(secret), totpStepOf(fixture.clock.nowMicroseconds()) + stepsAway);
const post = (path: string, body: unknown, options: object = {}) =>
  fixture.call("POST", `/api/v1/auth/${path}`, { body, ...options });
/** A user with a confirmed factor, its secret and recovery codes. */
async function enabled() {
  await fixture.person();
  const signedIn = await fixture.signIn();
  const { secret } = (await fixture.call("POST", "/api/v1/auth/totp/setup", tokenOf(signedIn))).json;
  const confirmed = await post("totp/confirm", { code: codeOf(secret) }, tokenOf(signedIn));
  expect(confirmed.status).toBe(200);
  // The next code is another one.
  fixture.advance(30 * second);
  return { secret: secret as string, codes: confirmed.json.recovery_codes as string[], signedIn };
}

describe("what asks for a recent sign-in", () => {
  const fiveMinutes = 5 * minute;
  const erase = (token: object) => fixture.call("DELETE", "/api/v1/auth/me", token);
  const setUp = (token: object) => fixture.call("POST", "/api/v1/auth/totp/setup", token);

  for (const [name, act, done] of [
    ["erasing oneself", erase, 204],
    ["setting up a second factor", setUp, 200],
  ] as const) {
    test(`S2.12 ${name} is done until five minutes after the sign-in, and not a moment later`, async () => {
      await fixture.person({ email: "boss@example.org", role: "admin" });
      await fixture.person();
      const token = tokenOf(await fixture.signIn());
      fixture.advance(fiveMinutes + 0.001);
      expect(outcome(await act(token))).toEqual([403, "REAUTHENTICATION_NEEDED"]);
      const again = tokenOf(await fixture.signIn());
      fixture.advance(fiveMinutes);
      expect((await act(again)).status).toBe(done);
    });
  }

  for (const [what, proof] of [
    ["the password", async () => ({ password: adasPassword })],
    ["a code", async (secret: string) => ({ code: codeOf(secret) })],
    ["a recovery code", async (_: string, codes: string[]) => ({ code: codes[0] })],
  ] as [string, (secret: string, codes: string[]) => Promise<object>][]) {
    test(`S2.12 ${what} shown again opens it for five minutes more, for this session alone`, async () => {
      await fixture.person({ email: "boss@example.org", role: "admin" });
      const { secret, codes, signedIn } = await enabled();
      const token = tokenOf(signedIn);
      fixture.advance(fiveMinutes + second);
      const shown = await post("reauthenticate", await proof(secret, codes), token);
      expect(outcome(shown)).toEqual([204, null]);
      expect((await events()).includes("auth.reauthenticated")).toBe(true);
      fixture.advance(fiveMinutes);
      expect((await erase(token)).status).toBe(204);
    });
  }

  for (const [what, proof, expected] of [
    ["a wrong password", { password: "wrong" }, [403, "REAUTHENTICATION_FAILED"]],
    ["a code without a second factor", { code: "123456" }, [403, "REAUTHENTICATION_FAILED"]],
    ["nothing", {}, [422, "SCHEMA_INVALID"]],
    ["both", { password: adasPassword, code: "123456" }, [422, "SCHEMA_INVALID"]],
  ] as [string, object, [number, string]][]) {
    test(`S2.12 ${what} opens nothing`, async () => {
      await fixture.person();
      const token = tokenOf(await fixture.signIn());
      fixture.advance(fiveMinutes + second);
      expect(outcome(await post("reauthenticate", proof, token))).toEqual(expected);
      expect(outcome(await erase(token))).toEqual([403, "REAUTHENTICATION_NEEDED"]);
    });
  }

  test("S2.12 a code of a second factor that was not confirmed opens nothing", async () => {
    await fixture.person();
    const token = tokenOf(await fixture.signIn());
    const { secret } = (await setUp(token)).json;
    fixture.advance(fiveMinutes + second);
    expect(outcome(await post("reauthenticate", { code: codeOf(secret) }, token))).toEqual([
      403,
      "REAUTHENTICATION_FAILED",
    ]);
  });

  test("S2.12 a session's proof is not another's", async () => {
    await fixture.person();
    const [one, other] = [tokenOf(await fixture.signIn()), tokenOf(await fixture.signIn())];
    fixture.advance(fiveMinutes + second);
    expect((await post("reauthenticate", { password: adasPassword }, one)).status).toBe(204);
    expect(outcome(await erase(other))).toEqual([403, "REAUTHENTICATION_NEEDED"]);
    // Not even by trading its refresh token: a pair is the same session, and no proof.
    expect(outcome(await setUp(other))).toEqual([403, "REAUTHENTICATION_NEEDED"]);
  });

  test("S2.27 guessing the password there is told to come back", async () => {
    await fixture.person();
    const token = tokenOf(await fixture.signIn());
    const statuses: number[] = [];
    for (let tries = 0; tries < 12; tries++)
      statuses.push((await post("reauthenticate", { password: "no" }, token)).status);
    expect(statuses).toEqual([...Array(10).fill(403), 429, 429]);
  });
});
