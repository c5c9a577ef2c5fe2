// What is swept of login sessions, on a real database: what ended, what ran out, and nothing before its time.

import { expect, test } from "bun:test";
import { sql } from "drizzle-orm";
import { ada, openLogin } from "../../../harness/login";
import { until } from "../../../harness/storage";

const dayMilliseconds = 86_400_000;

test("S3.05 sessions go thirty days after they ended, or ran out, and refresh tokens once they are over", async () => {
  const fixture = await openLogin();
  await fixture.person();
  const tokens: string[] = [];
  for (let index = 0; index < 2; index++) tokens.push((await fixture.signIn(ada)).json.access_token);
  const headers = { authorization: `Bearer ${tokens[0]}` };
  expect((await fixture.call("POST", "/api/v1/auth/logout", { headers })).status).toBe(204);
  const counts = async () => {
    const [row] = await fixture.storage.read.all<Record<string, bigint>>(
      sql`SELECT (SELECT count(*) FROM login_sessions) AS sessions, (SELECT count(*) FROM refresh_tokens) AS tokens`,
    );
    return [Number(row!.sessions), Number(row!.tokens)];
  };
  /** A round of the loop, which begins with one. */
  const sweep = async (expected: number[]) => {
    const sessions = fixture.anotherSessions();
    const agent = sessions.agents.find(({ name }) => name === "login-session-sweep")!;
    agent.start();
    await until("it has swept", async () => Bun.deepEquals(await counts(), expected));
    await agent.stop();
    expect(await counts()).toEqual(expected);
    await sessions.close();
  };
  expect(await counts()).toEqual([2, 2]);
  fixture.clock.advance(6 * dayMilliseconds);
  await sweep([2, 2]);
  // Unused for a week, a refresh token is over.
  fixture.clock.advance(2 * dayMilliseconds);
  await sweep([2, 0]);
  fixture.clock.advance(21 * dayMilliseconds);
  await sweep([2, 0]);
  // The one that was left; the other's month has passed too, and it is kept for another from then on.
  fixture.clock.advance(1.5 * dayMilliseconds);
  await sweep([1, 0]);
  fixture.clock.advance(29 * dayMilliseconds);
  await sweep([1, 0]);
  fixture.clock.advance(dayMilliseconds);
  await sweep([0, 0]);
  await fixture.close();
});
