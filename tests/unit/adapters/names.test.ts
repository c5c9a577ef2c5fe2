// Whether host names are resolved: asked without the runtime's threads, a second at most, one question a host at a time.

import { describe, expect, test } from "bun:test";
import { createNames, type NameQuestion } from "../../../src/adapters/names";
import { ManualClock, systemClock } from "../../../src/foundation/clock";

const failing = (code: string) => Object.assign(new Error(code), { code });
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

function asked(...answers: (() => Promise<unknown>)[]) {
  const clock = new ManualClock(0n);
  const hosts: string[] = [];
  const questions: NameQuestion[] = answers.map((answer, index) => (host) => {
    if (index === 0) hosts.push(host);
    return answer();
  });
  return { clock, hosts, names: createNames({ clock, questions }) };
}
const never = () => new Promise<never>(() => undefined);

describe("S4.57 a host's name", () => {
  test.each(["127.0.0.1", "::1", "[2001:db8::1]"])("that is the address %s is not asked about", async (host) => {
    const { names, hosts } = asked(never);
    await names.answered(host);
    expect(hosts).toEqual([]);
  });

  const answering: [string, () => Promise<unknown>][] = [
    ["an address", async () => "10.0.0.1"],
    ["that there is none", () => Promise.reject(failing("ENOTFOUND"))],
    ["that it has no such record", () => Promise.reject(failing("DNS_ENODATA"))],
  ];
  for (const [what, answer] of answering) {
    test(`whose resolver answers ${what} may be connected to, and is believed for ten seconds`, async () => {
      const { names, hosts, clock } = asked(answer);
      await names.answered("a.example");
      clock.advance(9_999);
      await names.answered("a.example");
      expect(hosts).toEqual(["a.example"]);
      clock.advance(1);
      await names.answered("a.example");
      await names.answered("b.example");
      expect(hosts).toEqual(["a.example", "a.example", "b.example"]);
    });
  }

  test("is answered by whichever way answers first", async () => {
    await asked(never, async () => 1).names.answered("a.example");
    await asked(
      () => Promise.reject(failing("ETIMEOUT")),
      async () => 1,
    ).names.answered("a.example");
  });

  test("about which nobody says anything is refused after a second, asked about once for all who wait, and again later", async () => {
    const { names, hosts, clock } = asked(never);
    const waiting = [names.answered("a.example"), names.answered("a.example")].map((each) =>
      each.then(
        () => "answered",
        (error) => [error.reason, error.code],
      ),
    );
    await turn();
    clock.advance(1000);
    expect(await Promise.all(waiting)).toEqual([
      ["unavailable", "NAMES_UNANSWERED"],
      ["unavailable", "NAMES_UNANSWERED"],
    ]);
    expect(hosts).toEqual(["a.example"]);
    void names.answered("a.example").catch(() => undefined);
    expect(hosts).toHaveLength(2);
  });

  test.each(["ETIMEOUT", "DNS_ECONNREFUSED"])("whose resolver is away (%s) is refused at once", async (code) => {
    const { names } = asked(() => Promise.reject(failing(code)));
    expect(names.answered("a.example")).rejects.toMatchObject({ code: "NAMES_UNANSWERED" });
  });

  test("of this machine is answered by the system itself", async () => {
    await createNames({ clock: systemClock }).answered("localhost");
  });
});
